// What a lease is called: a name that nobody can guess, whose first eight digits say which node has it.
import { randomUUID } from 'node:crypto';

const pattern = /^([0-9a-f]{8})-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** 90 bits of chance are left. */
export const newLeaseId = (node: string): string => `${node}${randomUUID().slice(node.length)}`;

/** Null for what is no lease's name. */
export const nodeOfLease = (lease: string): string | null => pattern.exec(lease)?.[1] ?? null;
