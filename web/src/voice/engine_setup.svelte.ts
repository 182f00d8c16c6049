/** The engines of the server as the sheet about them shows them: asked for when it opens, followed while it is open. */

import { readKey, schedule } from '../lib/browser_ports';
import { SetupApi, SetupError, type Asset, type LocalServer, type Pipeline } from '../lib/setup_api';

const POLL_MS = 500; // while something is being fetched

export class EngineSetup {
  assets: readonly Asset[] = $state.raw([]);
  pipelines: readonly Pipeline[] = $state.raw([]);
  servers: readonly LocalServer[] | null = $state.raw(null); // null: not looked for yet
  problem: SetupError | null = $state.raw(null);
  isLoaded = $state(false);

  readonly #api: SetupApi;
  #cancelPoll: (() => void) | null = null;
  #isOpen = false;

  constructor(api: SetupApi = new SetupApi({ fetch: (path, init) => fetch(path, init), key: readKey })) {
    this.#api = api;
  }

  /** Begins to follow the server; returns what ends that. */
  open(): () => void {
    this.#isOpen = true;
    void this.load();
    return () => {
      this.#isOpen = false;
      this.#cancelPoll?.();
    };
  }

  /** Asks for everything anew. */
  async load(): Promise<void> {
    await this.#attempt(async () => {
      this.pipelines = await this.#api.pipelines(); // first by itself: a server that wants a key is asked once
      this.assets = await this.#api.assets();
      this.problem = null;
      this.isLoaded = true;
      this.#follow();
      this.servers = await this.#api.localServers();
    });
  }

  async fetchAsset(name: string): Promise<void> {
    await this.#attempt(async () => this.#replace(await this.#api.fetchAsset(name)));
  }

  async cancelFetch(name: string): Promise<void> {
    await this.#attempt(async () => this.#replace(await this.#api.cancelFetch(name)));
  }

  #replace(asset: Asset): void {
    this.problem = null;
    this.assets = this.assets.map((one) => (one.name === asset.name ? asset : one));
    this.#follow();
  }

  #follow(): void {
    this.#cancelPoll?.();
    this.#cancelPoll = null;
    if (!this.#isOpen || !this.assets.some((asset) => asset.state === 'fetching')) return;
    this.#cancelPoll = schedule(POLL_MS, () => void this.#poll());
  }

  async #poll(): Promise<void> {
    await this.#attempt(async () => {
      this.assets = await this.#api.assets();
      this.problem = null;
      if (this.assets.every((asset) => asset.state !== 'fetching')) this.pipelines = await this.#api.pipelines();
    });
    this.#follow(); // also after a failure: the download goes on without this page
  }

  async #attempt(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof SetupError)) throw error;
      this.problem = error;
    }
  }
}
