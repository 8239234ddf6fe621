import { createServer, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { queryTable } from '../../../cli/query/query-worker';

describe('a query whose kept connection the worker has closed', () => {
  let server: Server;
  let requests = 0;

  beforeAll(async () => {
    server = createServer((request, response) => {
      requests += 1;
      // As when the worker closes just as the request comes.
      if (requests === 2) request.socket.destroy();
      else response.end(JSON.stringify({ columns: [], rows: [], truncated: false }));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });

  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  it('is sent once more', async () => {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    await queryTable(url, 'SELECT 1');
    await expect(queryTable(url, 'SELECT 1')).resolves.toEqual({ columns: [], rows: [], truncated: false });
    expect(requests).toBe(3);
  });
});
