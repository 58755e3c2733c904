// The requests that the driver makes of Kafka's nodes, as kafkajs answers them.

/** Milliseconds since 1970 of `offsets from the beginning` and `from the end` in Kafka's protocol are -2 and -1. */
export interface TopicOffsets {
  readonly topic: string;
  readonly partitions: readonly {
    readonly partition: number;
    readonly offset: string;
    readonly metadata?: string | null;
  }[];
}

export interface ProduceRecord {
  readonly key: Buffer | null;
  readonly value: Buffer;
  readonly headers: Readonly<Record<string, string | Buffer>>;
  readonly timestamp: number;
}

export interface ProduceRequest {
  readonly acks: number;
  readonly timeout: number;
  readonly compression: number;
  /** As kafkajs tells it: digits. */
  readonly producerId?: string;
  readonly producerEpoch?: number;
  readonly topicData: readonly {
    readonly topic: string;
    readonly partitions: readonly {
      readonly partition: number;
      readonly firstSequence: number;
      readonly messages: readonly ProduceRecord[];
    }[];
  }[];
}

/** Null at acks 0, which has no answer. */
export type ProduceAnswer = {
  readonly topics: readonly {
    readonly topicName: string;
    readonly partitions: readonly { readonly partition: number; readonly baseOffset: string }[];
  }[];
} | null;

/** As it was written; its buffers are views of its batch's bytes. */
export interface FetchedRecord {
  readonly offset: bigint;
  /** Unix milliseconds; -1 for none. */
  readonly timestampMs: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  /** As text; of a header that stands there several times the last one counts. */
  readonly headers: Record<string, string>;
  /** Of the header `keyHeader`, its bytes. */
  readonly rawKey: Buffer | null;
}

/** What one producer wrote together. Compaction leaves gaps, also in place of all its records. */
export interface FetchedBatch {
  readonly firstOffset: bigint;
  /** Behind its last place. */
  readonly endOffset: bigint;
  readonly producerId: bigint;
  readonly isTransactional: boolean;
  /** Its record is the end of a transaction. */
  readonly isControl: boolean;
  readonly records: readonly FetchedRecord[];
}

export interface FetchedPartition {
  readonly partition: number;
  readonly errorCode: number;
  readonly highWatermark: bigint;
  /** Below it no transaction is open. */
  readonly lastStableOffset: bigint;
  /** Transactions that were taken back, by the first offset of each. */
  readonly aborted: readonly { readonly producerId: bigint; readonly firstOffset: bigint }[];
  readonly batches: readonly FetchedBatch[];
  /** Why the batch behind these cannot be read; null when there is none that cannot. */
  readonly fault: Error | null;
}

export interface FetchRequest {
  readonly maxWaitTime: number;
  readonly minBytes: number;
  readonly maxBytes: number;
  readonly isolationLevel: number;
  readonly topics: readonly {
    readonly topic: string;
    readonly partitions: readonly {
      readonly partition: number;
      readonly fetchOffset: string;
      readonly maxBytes: number;
    }[];
  }[];
}

export interface FetchAnswer {
  /** kafkajs sends nothing for so many milliseconds. */
  readonly clientSideThrottleTime: number;
  readonly responses: readonly { readonly topicName: string; readonly partitions: readonly FetchedPartition[] }[];
}

export interface JoinAnswer {
  readonly generationId: number;
  readonly leaderId: string;
  readonly memberId: string;
  readonly members: readonly { readonly memberId: string; readonly memberMetadata: Buffer }[];
}

interface ConfigEntry {
  readonly name: string;
  readonly value: string;
}

interface PartitionNumber {
  readonly partition: number;
}

/** One of Kafka's nodes. */
export interface KafkaNode {
  /** host:port. */
  readonly brokerAddress: string;
  disconnect(): Promise<void>;
  /** Rejects with UNKNOWN_TOPIC_OR_PARTITION when this node does not know one of them. */
  metadata(topics: readonly string[]): Promise<{
    readonly topicMetadata: readonly { readonly topic: string; readonly partitionMetadata: readonly object[] }[];
  }>;
  /** Resolves when the controller has decided it: a node may hear of it later. */
  createTopics(request: {
    readonly topics: readonly {
      readonly topic: string;
      readonly numPartitions: number;
      readonly replicationFactor: number;
      readonly configEntries: readonly ConfigEntry[];
    }[];
  }): Promise<unknown>;
  createPartitions(request: {
    readonly topicPartitions: readonly { readonly topic: string; readonly count: number }[];
  }): Promise<unknown>;
  describeConfigs(request: {
    readonly resources: readonly {
      readonly type: number;
      readonly name: string;
      readonly configNames: readonly string[];
    }[];
  }): Promise<{
    readonly resources: readonly {
      readonly configEntries: readonly { readonly configName: string; readonly configValue: string | null }[];
    }[];
  }>;
  produce(request: ProduceRequest): Promise<ProduceAnswer>;
  /** Answers as kafkajs reads them, unless `fetch` asks. */
  fetch(request: FetchRequest): Promise<FetchAnswer>;
  initProducerId(request: object): Promise<{ readonly producerId: string; readonly producerEpoch: number }>;
  joinGroup(request: {
    readonly groupId: string;
    readonly sessionTimeout: number;
    readonly rebalanceTimeout: number;
    readonly memberId: string;
    readonly groupProtocols: readonly { readonly name: string; readonly metadata: Buffer }[];
  }): Promise<JoinAnswer>;
  syncGroup(request: {
    readonly groupId: string;
    readonly generationId: number;
    readonly memberId: string;
    readonly groupAssignment: readonly { readonly memberId: string; readonly memberAssignment: Buffer }[];
  }): Promise<{ readonly memberAssignment: Buffer }>;
  heartbeat(request: { groupId: string; groupGenerationId: number; memberId: string }): Promise<unknown>;
  leaveGroup(request: { groupId: string; memberId: string }): Promise<unknown>;
  offsetCommit(request: {
    readonly groupId: string;
    readonly groupGenerationId: number;
    readonly memberId: string;
    readonly topics: readonly TopicOffsets[];
  }): Promise<unknown>;
  describeGroups(request: { readonly groupIds: readonly string[] }): Promise<{
    readonly groups: readonly {
      readonly state: string;
      readonly members: readonly {
        readonly memberId: string;
        readonly memberMetadata: Buffer;
        readonly memberAssignment: Buffer;
      }[];
    }[];
  }>;
  listGroups(): Promise<{ readonly groups: readonly { readonly groupId: string; readonly protocolType: string }[] }>;
  /** Of no topics: of all in which the group has a mark. */
  offsetFetch(request: {
    readonly groupId: string;
    readonly topics: readonly { readonly topic: string; readonly partitions: readonly PartitionNumber[] }[];
  }): Promise<{ readonly responses: readonly TopicOffsets[] }>;
}

/** The nodes, and which of them leads what, as one set of connections knows them. */
export interface KafkaCluster {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  isConnected(): boolean;
  removeBroker(address: { host: string; port: number }): void;
  addMultipleTargetTopics(topics: readonly string[]): Promise<void>;
  refreshMetadata(): Promise<void>;
  getNodeIds(): readonly string[];
  findBroker(node: { nodeId: string | number }): Promise<KafkaNode>;
  findControllerBroker(): Promise<KafkaNode>;
  findGroupCoordinator(group: { groupId: string }): Promise<KafkaNode>;
  findTopicPartitionMetadata(topic: string): readonly { readonly partitionId: number; readonly leader: number }[];
  fetchTopicsOffset(
    topics: readonly {
      readonly topic: string;
      readonly partitions: readonly PartitionNumber[];
      readonly fromBeginning?: boolean;
      /** Unix milliseconds. */
      readonly fromTimestamp?: number;
    }[],
  ): Promise<readonly TopicOffsets[]>;
}
