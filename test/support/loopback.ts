import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Servers of tests: on loopback, at any free port. */

/** @returns the server's origin */
export async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Ends the server and whatever still hangs on it. */
export function close(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}
