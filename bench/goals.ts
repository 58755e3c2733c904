// The goals of each figure on a 2-core machine: what has to be reached, and the aim.
import type { Goal } from './support/figures.ts';

const atLeast = (now: number, aim: number): Goal => ({ sense: 'at least', now, aim });
const atMost = (now: number, aim: number): Goal => ({ sense: 'at most', now, aim });

export const goals = {
  /** Against bare node:http. */
  accepted: atLeast(0.6, 0.8),
  /** Calls taken by the newer doors, against the original's. */
  doors: atLeast(0.9, 1),
  /** Calls a second in batches. */
  batch: atLeast(20_000, 40_000),
  transactions: {
    /** Against plain calls at the newer door. */
    commits: atLeast(0.4, 0.6),
    begins: atLeast(0.4, 0.8),
    /** Bytes of memory. */
    weight: atMost(1000, 500),
    /** Checks in the worst second, of what may be sent in one. */
    herd: atMost(1.2, 1.05),
  },
  /** CPU against bare node:http accepting plus bare undici sending. */
  cpu: atMost(1.6, 1.4),
  /** Against bare undici. */
  backlogAtOnce: atLeast(0.6, 0.75),
  backlogSlow: atLeast(0.97, 0.99),
  /** Calls a second. */
  acceptedAndDelivered: atLeast(6000, 12_000),
  /** Milliseconds above a bare POST and one fdatasync. */
  endToEnd: atMost(5, 3),
  /** Milliseconds of a round trip above a plain delivery. */
  reply: atMost(15, 5),
  /** Against raw writes. */
  append: atLeast(0.5, 0.6),
  kafka: {
    /** Against bare kafkajs in its safe mode. */
    append: atLeast(0.5, 0.6),
    /** Over HTTP, against the same without HTTP. */
    accepted: atLeast(0.6, 0.6),
    /** Against bare undici. */
    backlog: atLeast(0.5, 0.5),
  },
  /** MB. */
  resident: atMost(300, 200),
  /** Healthy destinations beside silent ones, against the same alone. */
  isolation: atLeast(0.95, 0.98),
  /** Messages fetched and acked a second, against sent ones. */
  fetched: atLeast(0.5, 1),
  /** Beside 1,999 subscriptions that want something else, against none. */
  subscriptions: { published: atLeast(0.9, 1), delivered: atLeast(0.9, 1) },
  /** First attempts a second, of a limit of 100. */
  firstAttempts: atLeast(80, 80),
  /** Percent of a core. */
  console: atMost(10, 5),
  ramp: {
    /** Percent. */
    excess: atMost(10, 5),
    /** Requests. */
    few: atMost(1, 1),
    /** In recoverPeriods. */
    toFull: atMost(1.1, 1),
    /** Of the limit. */
    herd: atMost(1.1, 1.05),
  },
  /** Healthy destinations beside a dead one with nine tenths of the backlog, against the same without it; memory of its start. */
  overflow: { beside: atLeast(0.95, 0.98), flat: atMost(1.1, 1.05) },
  /** Milliseconds without a delivery, beyond what there is without reloads. */
  pause: atMost(50, 20),
  park: {
    /** Other keys beside a poisoned one, against the same without poison. */
    beside: atLeast(0.95, 0.98),
    /** Calls of the parked key that are missing, or came out of order. */
    faults: atMost(0, 0),
  },
  redrive: {
    /** Arrivals a second against the rate that was asked for: all of the time, and in any second. */
    pace: atLeast(0.95, 0.98),
    most: atMost(1.1, 1.05),
    /** Of the canary and 5 %, to a receiver that fails half. */
    toSick: atMost(1, 1),
    /** Letters neither delivered nor kept. */
    faults: atMost(0, 0),
  },
  /** Percent of the CPU of a delivery. */
  egress: atMost(3, 1),
  /** Of a caller with a rate, against one without. */
  throttling: { rate: atLeast(0.95, 0.98), cpu: atMost(1.05, 1.02) },
  /** CPU while looked at, against the same while not. */
  observed: atMost(1.05, 1.02),
  delayed: {
    /** Milliseconds behind its time, the latest of all; while none is late because too many are due. */
    late: atMost(1000, 500),
    /** Delivered before their time, not at all, or twice without a word. */
    faults: atMost(0, 0),
    /** MB while they wait. */
    resident: atMost(300, 200),
  },
  /** CPU a message against the first point of what grows, or against the line through its sizes. */
  growth: atMost(1.15, 1.15),
  /** Milliseconds of p99 above a bare POST and one fdatasync; pauses that are the program's own. */
  latency: { arrival: atMost(15, 5), pauses: atMost(0, 0) },
  /** MB with 5 GB of backlog; milliseconds of p99 above a bare POST; of the calls that were to be accepted. */
  deadReceivers: { resident: atMost(250, 200), answer: atMost(15, 5), rate: atLeast(0.98, 0.99) },
  /** Of the start. */
  flat: atMost(1.1, 1.05),
  /** What a second process that takes calls gains, against what it gains bare node:http. */
  gain: atLeast(0.85, 0.95),
} as const;
