// The text of server-sent events, cut into events wherever the network cut it; pure.

export interface StreamEvent {
  readonly name: string;
  readonly data: string;
}

export class EventParser {
  private rest = '';

  /** The events that are whole with this piece. */
  push(text: string): StreamEvent[] {
    const blocks = (this.rest + text).split('\n\n');
    this.rest = blocks.pop() ?? '';
    return blocks.flatMap((block) => {
      const event = { name: 'message', data: [] as string[] };
      for (const line of block.split('\n')) {
        if (line.startsWith('event: ')) event.name = line.slice(7);
        else if (line.startsWith('data: ')) event.data.push(line.slice(6));
      }
      return event.data.length === 0 ? [] : { name: event.name, data: event.data.join('\n') };
    });
  }
}
