/** What the server tells about its engines over REST, and what may be asked of it. Types follow `openapi.json`. */

export type AssetCondition = 'absent' | 'fetching' | 'partial' | 'ready' | 'failed';

/** Files for a better engine that are fetched when a person asks. */
export interface Asset {
  readonly name: string;
  readonly title: string;
  readonly licence: string;
  readonly source: string; // the package that fetches it
  readonly sizeBytes: number;
  readonly bytesDone: number;
  readonly state: AssetCondition;
  readonly reason: string; // why the last fetch failed, or what is missing for one
}

export interface Stage {
  readonly job: string;
  readonly name: string;
  readonly note: string;
}

/** What serves the sessions of `models`. */
export interface Pipeline {
  readonly name: string;
  readonly models: readonly string[];
  readonly isDefault: boolean;
  readonly stages: readonly Stage[];
}

/** A model server on the machine of the server. */
export interface LocalServer {
  readonly name: string;
  readonly baseUrl: string;
  readonly models: readonly string[];
}

/** Why a question to the server failed: it wants a key, cannot be reached, or said so in words. */
export class SetupError extends Error {
  constructor(
    readonly kind: 'key' | 'unreachable' | 'refused',
    message: string,
  ) {
    super(message);
  }
}

export interface SetupPorts {
  readonly fetch: (path: string, init: RequestInit) => Promise<Response>;
  readonly key: () => string;
}

type Fields = Record<string, unknown>;

/** The questions; every one rejects with a `SetupError`. */
export class SetupApi {
  constructor(private readonly ports: SetupPorts) {}

  async assets(): Promise<readonly Asset[]> {
    return readList(await this.#ask('GET', '/api/assets'), readAsset);
  }

  async pipelines(): Promise<readonly Pipeline[]> {
    return readList(await this.#ask('GET', '/api/engines'), readPipeline);
  }

  async localServers(): Promise<readonly LocalServer[]> {
    return readList(await this.#ask('GET', '/api/engines/local'), readLocalServer);
  }

  async fetchAsset(name: string): Promise<Asset> {
    return readAsset(await this.#ask('POST', `/api/assets/${encodeURIComponent(name)}/fetch`));
  }

  async cancelFetch(name: string): Promise<Asset> {
    return readAsset(await this.#ask('DELETE', `/api/assets/${encodeURIComponent(name)}/fetch`));
  }

  async #ask(method: string, path: string): Promise<Fields> {
    const key = this.ports.key();
    const headers: Record<string, string> = key ? { authorization: `Bearer ${key}` } : {};
    const answer = await this.ports.fetch(path, { method, headers }).catch(() => null);
    if (answer === null) throw new SetupError('unreachable', 'The server cannot be reached.');
    const fields = recordOf(await answer.json().catch(() => null));
    if (answer.ok) return fields;
    if (answer.status === 401) throw new SetupError('key', 'This server asks for a key.');
    const message = stringOf(recordOf(fields['error'])['message']);
    throw new SetupError('refused', message || `The server answered with status ${answer.status}.`);
  }
}

const CONDITIONS: readonly string[] = ['absent', 'fetching', 'partial', 'ready', 'failed'] satisfies AssetCondition[];

function readAsset(fields: Fields): Asset {
  const state = stringOf(fields['state']);
  return {
    name: stringOf(fields['name']),
    title: stringOf(fields['title']),
    licence: stringOf(fields['licence']),
    source: stringOf(fields['source']),
    sizeBytes: numberOf(fields['size_bytes']),
    bytesDone: numberOf(fields['bytes_done']),
    state: CONDITIONS.includes(state) ? (state as AssetCondition) : 'absent',
    reason: stringOf(fields['reason']),
  };
}

function readPipeline(fields: Fields): Pipeline {
  return {
    name: stringOf(fields['name']),
    models: stringsOf(fields['models']),
    isDefault: fields['is_default'] === true,
    stages: arrayOf(fields['stages']).map((stage) => {
      const { job, name, note } = recordOf(stage);
      return { job: stringOf(job), name: stringOf(name), note: stringOf(note) };
    }),
  };
}

function readLocalServer(fields: Fields): LocalServer {
  return { name: stringOf(fields['name']), baseUrl: stringOf(fields['base_url']), models: stringsOf(fields['models']) };
}

function readList<T>(fields: Fields, read: (fields: Fields) => T): readonly T[] {
  return arrayOf(fields['data']).map((row) => read(recordOf(row)));
}

function recordOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}

function arrayOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function stringsOf(value: unknown): readonly string[] {
  return arrayOf(value).filter((one) => typeof one === 'string');
}

function stringOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function numberOf(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}
