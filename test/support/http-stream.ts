import { once } from 'node:events';
import { get, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';

/** A GET over a real socket whose answer is read at the test's own pace. */
export interface HttpStream {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly response: IncomingMessage;
  /** Text that came until now; nothing comes before `read` was called. */
  readonly text: () => string;
  readonly read: () => void;
  /** Whether the answer ended, and whether it was whole. */
  readonly end: () => 'open' | 'whole' | 'cut';
  readonly destroy: () => void;
}

export async function openHttpStream(url: string, headers: Readonly<Record<string, string>> = {}): Promise<HttpStream> {
  const request = get(url, { headers, agent: false });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  const chunks: Buffer[] = [];
  let end: 'open' | 'whole' | 'cut' = 'open';
  response.on('end', () => (end = 'whole'));
  response.on('error', () => (end = 'cut'));
  response.on('close', () => {
    if (end === 'open') end = 'cut';
  });
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    response,
    text: () => Buffer.concat(chunks).toString(),
    read: () => {
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
    },
    end: () => end,
    destroy: () => request.destroy(),
  };
}
