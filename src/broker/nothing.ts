// What stands at an offset at which there is no message, in a log whose offsets have no gaps.

/** A driver that keeps such records hands none of them out. Name of their only header. */
export const nothingHeader = 'bigpipe-nothing';
