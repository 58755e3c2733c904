// The files and tables of the SQLite store, shared by its writer thread and its reader.

export const databaseFile = 'bigpipe.db';
/** Held open and locked by the one process that owns the directory; the system frees it when that process dies. */
export const lockFile = 'bigpipe.lock';
/** Says that a database was created here: without it a missing database would silently become a new one. */
export const markerFile = 'bigpipe.format';
/** Given up when the disk is full, see disk-reserve.ts. */
export const reserveFile = 'bigpipe.reserve';
/** Says why nobody may open what is in the directory any more; without it, it is open again. */
export const sealFile = 'bigpipe.sealed';
/** A copy of a write-ahead log that was found damaged, for whoever looks into it. */
export const damagedWalFile = 'bigpipe.db-wal.damaged';
/** 1 had no checksums in `starts` and `commits`. */
export const formatVersion = 2;

export const messagesTable = (topicId: number, partition: number) => `m_${topicId}_${partition}`;

/** `o` is the offset of the chunk's first message, `c` their count, `t` the newest timestamp. */
export const createMessagesTable = (topicId: number, partition: number) =>
  `CREATE TABLE IF NOT EXISTS ${messagesTable(topicId, partition)}
   (o INTEGER PRIMARY KEY, c INTEGER NOT NULL, t INTEGER NOT NULL, d BLOB NOT NULL)`;

export const createTables = `
  CREATE TABLE IF NOT EXISTS topics
    (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, partitions INTEGER NOT NULL, retention TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS starts
    (topic INTEGER NOT NULL, partition INTEGER NOT NULL, start INTEGER NOT NULL, seal INTEGER,
     PRIMARY KEY (topic, partition))
    WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS commits
    (topic INTEGER NOT NULL, partition INTEGER NOT NULL, member TEXT NOT NULL, position INTEGER NOT NULL,
     metadata TEXT NOT NULL, seen INTEGER NOT NULL, seal INTEGER, PRIMARY KEY (topic, partition, member))
    WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS damage
    (topic INTEGER NOT NULL, partition INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
     reason TEXT NOT NULL, seen INTEGER NOT NULL, PRIMARY KEY (topic, partition, first));
`;

/** From format 1; a row without a checksum is taken as it stands, until it is written anew. */
export const addSeals = 'ALTER TABLE starts ADD COLUMN seal INTEGER; ALTER TABLE commits ADD COLUMN seal INTEGER;';

/** For locks that another connection holds. */
export const busyTimeoutMs = 10_000;

/** Measured: larger pages write more a commit, smaller ones make checkpoints too frequent. */
export const pageSize = 8192;
