// The two listeners. A route carries one as its mark (a Fastify route constraint); without one it answers on both.

/** Everybody's: doors, /stats, bare health. */
export const mainListener = { listener: 'main' } as const;

/** The operator's, on loopback unless configured otherwise. */
export const managementListener = { listener: 'management' } as const;
