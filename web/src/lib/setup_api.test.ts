import { describe, expect, test } from 'vitest';
import { SetupApi, SetupError } from './setup_api';

interface Asked {
  readonly path: string;
  readonly init: RequestInit;
}

/** Returns an API whose server answers each path with a status and a body, and what it was asked. */
function serving(answers: Record<string, [number, unknown]>, key = ''): { api: SetupApi; asked: Asked[] } {
  const asked: Asked[] = [];
  const fetch = async (path: string, init: RequestInit): Promise<Response> => {
    asked.push({ path, init });
    const [status, body] = answers[path] ?? [404, null];
    return new Response(typeof body === 'string' ? body : JSON.stringify(body), { status });
  };
  return { api: new SetupApi({ fetch, key: () => key }), asked };
}

describe('SetupApi', () => {
  test('reads assets with their progress', async () => {
    const row = { name: 'm', title: 'M', licence: 'MIT', source: 's', size_bytes: 10, bytes_done: 4, state: 'fetching', reason: '' };
    const { api } = serving({ '/api/assets': [200, { data: [row] }] });

    expect(await api.assets()).toEqual([
      { name: 'm', title: 'M', licence: 'MIT', source: 's', sizeBytes: 10, bytesDone: 4, state: 'fetching', reason: '' },
    ]);
  });

  test('reads engines and local servers', async () => {
    const engine = { name: 'embedded', models: ['m'], is_default: true, stages: [{ job: 'stt', name: 'p', note: 'n' }] };
    const { api } = serving({
      '/api/engines': [200, { data: [engine] }],
      '/api/engines/local': [200, { data: [{ name: 'Ollama', base_url: 'http://127.0.0.1:11434/v1', models: ['q'] }] }],
    });

    expect(await api.pipelines()).toEqual([
      { name: 'embedded', models: ['m'], isDefault: true, stages: [{ job: 'stt', name: 'p', note: 'n' }] },
    ]);
    expect(await api.localServers()).toEqual([{ name: 'Ollama', baseUrl: 'http://127.0.0.1:11434/v1', models: ['q'] }]);
  });

  test('sends the key where there is one', async () => {
    const withKey = serving({ '/api/assets': [200, { data: [] }] }, 'sk-1');
    const without = serving({ '/api/assets': [200, { data: [] }] });

    await withKey.api.assets();
    await without.api.assets();

    expect(withKey.asked[0]?.init.headers).toEqual({ authorization: 'Bearer sk-1' });
    expect(without.asked[0]?.init.headers).toEqual({});
  });

  test('begins a fetch and cancels it', async () => {
    const { api, asked } = serving({ '/api/assets/a%2Fb/fetch': [202, { name: 'a/b', state: 'fetching' }] });

    expect((await api.fetchAsset('a/b')).state).toBe('fetching');
    await api.cancelFetch('a/b');

    expect(asked.map((one) => one.init.method)).toEqual(['POST', 'DELETE']);
  });

  test.each([
    [401, { error: { message: 'no' } }, 'key', 'This server asks for a key.'],
    [409, { error: { message: 'Another one is being fetched.' } }, 'refused', 'Another one is being fetched.'],
    [500, 'not json', 'refused', 'The server answered with status 500.'],
  ])('status %d is told in words', async (status, body, kind, message) => {
    const { api } = serving({ '/api/assets': [status, body] });

    const error = await api.assets().catch((reason: unknown) => reason);

    expect(error).toBeInstanceOf(SetupError);
    expect(error).toMatchObject({ kind, message });
  });

  test('a server that is gone is told apart', async () => {
    const api = new SetupApi({ fetch: () => Promise.reject(new TypeError('failed')), key: () => '' });

    await expect(api.assets()).rejects.toMatchObject({ kind: 'unreachable' });
  });

  test.each([null, 7, { data: 'x' }, { data: [null, { state: 'odd', size_bytes: 'big' }] }])('survives %j', async (body) => {
    const { api } = serving({ '/api/assets': [200, body] });

    for (const asset of await api.assets()) expect(asset).toMatchObject({ state: 'absent', sizeBytes: 0 });
  });
});
