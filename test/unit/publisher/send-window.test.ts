import { describe, expect, it } from 'vitest';
import { SendWindow, type Urgency } from '../../../src/device/publisher/sender.ts';
import { settle } from '../../support/fake-clock.ts';

const never = new AbortController().signal;

function taking(window: SendWindow): {
  take: (urgency: Urgency, name: string, signal?: AbortSignal) => void;
  in: string[];
  leave: (name: string) => void;
} {
  const inside = new Map<string, () => void>();
  const order: string[] = [];
  return {
    in: order,
    take: (urgency, name, signal = never) => {
      void window.enter(urgency, signal).then(
        () => {
          order.push(name);
          inside.set(name, () => window.leave(urgency));
        },
        () => order.push(`${name} gave up`),
      );
    },
    leave: (name) => inside.get(name)?.(),
  };
}

describe('the send window', () => {
  it('keeps its last place for what is new', async () => {
    const places = taking(new SendWindow(3));
    for (const name of ['b1', 'b2', 'b3']) places.take('backlog', name);
    await settle();
    expect(places.in).toEqual(['b1', 'b2']);
    places.take('live', 'l1');
    await settle();
    expect(places.in).toEqual(['b1', 'b2', 'l1']);
    places.leave('b1');
    await settle();
    expect(places.in).toEqual(['b1', 'b2', 'l1', 'b3']);
  });

  it('with a single place lets what is new go first when it falls free', async () => {
    const places = taking(new SendWindow(1));
    places.take('backlog', 'b1');
    places.take('backlog', 'b2');
    places.take('live', 'l1');
    await settle();
    expect(places.in).toEqual(['b1']);
    places.leave('b1');
    await settle();
    expect(places.in).toEqual(['b1', 'l1']);
    places.leave('l1');
    await settle();
    expect(places.in).toEqual(['b1', 'l1', 'b2']);
  });

  it('grows at once and shrinks as places fall free', async () => {
    const window = new SendWindow(1);
    const places = taking(window);
    for (const name of ['l1', 'l2', 'l3', 'l4']) places.take('live', name);
    await settle();
    window.resize(3);
    await settle();
    expect(places.in).toEqual(['l1', 'l2', 'l3']);
    window.resize(1);
    places.leave('l1');
    places.leave('l2');
    await settle();
    expect(places.in).toEqual(['l1', 'l2', 'l3']);
    places.leave('l3');
    await settle();
    expect(places.in).toEqual(['l1', 'l2', 'l3', 'l4']);
  });

  it('forgets who gave up waiting', async () => {
    const places = taking(new SendWindow(1));
    const stop = new AbortController();
    places.take('live', 'l1');
    places.take('live', 'l2', stop.signal);
    places.take('live', 'l3');
    await settle();
    stop.abort(new Error('enough'));
    await settle();
    places.leave('l1');
    await settle();
    expect(places.in).toEqual(['l1', 'l2 gave up', 'l3']);
  });
});
