// What a process holds in memory once all garbage is gone, as its own inspector says.

/** Of V8's heap, and of Buffers beside it. Rejects when the inspector does not answer. */
export async function liveBytes(inspector: string): Promise<number> {
  const socket = new WebSocket(inspector);
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener('open', () => resolve(), { once: true });
    socket.addEventListener('error', () => reject(new Error(`${inspector} does not answer`)), { once: true });
  });
  let last = 0;
  const ask = (method: string, params: object = {}) =>
    new Promise<{ readonly result?: { readonly value?: number } }>((resolve) => {
      last += 1;
      const id = last;
      const hear = ({ data }: MessageEvent) => {
        const answer = JSON.parse(String(data)) as { id?: number; result: { result?: { value?: number } } };
        if (answer.id !== id) return;
        socket.removeEventListener('message', hear);
        resolve(answer.result);
      };
      socket.addEventListener('message', hear);
      socket.send(JSON.stringify({ id, method, params }));
    });
  try {
    // What the first round sets free may hold something that the second finds.
    for (let round = 0; round < 2; round += 1) await ask('HeapProfiler.collectGarbage');
    const expression = '(({ heapUsed, external }) => heapUsed + external)(process.memoryUsage())';
    const { result } = await ask('Runtime.evaluate', { expression });
    return Number(result?.value);
  } finally {
    socket.close();
  }
}
