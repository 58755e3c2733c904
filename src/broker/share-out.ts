// Which member of a group owns which partition; pure.

/**
 * The owner of each partition. Shares differ by one at most, the larger ones going to those who hold most already,
 * and a member keeps what it holds up to its share. `held` must not be empty.
 */
export function shareOut<M>(partitions: number, held: ReadonlyMap<M, readonly number[]>): M[] {
  const members = [...held].sort(([, a], [, b]) => b.length - a.length);
  const least = Math.floor(partitions / members.length);
  const larger = partitions % members.length;
  const owners = new Map<number, M>();
  const open = members.map(([member, has], i) => {
    const share = least + (i < larger ? 1 : 0);
    const kept = has.slice(0, share);
    for (const partition of kept) owners.set(partition, member);
    return { member, room: share - kept.length };
  });
  return Array.from({ length: partitions }, (_, partition) => {
    const owner = owners.get(partition);
    if (owner !== undefined) return owner;
    const next = open.find(({ room }) => room > 0) as { member: M; room: number };
    next.room -= 1;
    return next.member;
  });
}
