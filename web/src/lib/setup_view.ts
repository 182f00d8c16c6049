/** What the sheet about engines says of assets and model servers. */

import type { Asset, LocalServer, Pipeline } from './setup_api';

/** The words and the action that an asset's state calls for. */
export interface Offer {
  readonly status: string;
  readonly action: 'fetch' | 'cancel' | null;
  readonly label: string; // of the action
  readonly share: number | null; // of the download that is here, in [0, 1]; null: there is nothing to show
}

/** Returns a size as people write it: "190 MB", "0.4 MB", "1.2 GB". */
export function sizeText(bytes: number): string {
  const megabytes = bytes / 1e6;
  if (megabytes >= 1000) return `${(megabytes / 1000).toFixed(1)} GB`;
  return megabytes >= 10 ? `${Math.round(megabytes)} MB` : `${megabytes.toFixed(1)} MB`;
}

/** Returns what the sheet shows for an asset. */
export function offerOf(asset: Asset): Offer {
  const size = sizeText(asset.sizeBytes);
  const share = asset.sizeBytes > 0 ? Math.min(1, asset.bytesDone / asset.sizeBytes) : 0;
  const here = `${sizeText(asset.bytesDone)} of ${size}`;
  switch (asset.state) {
    case 'absent': // with a reason, something is missing that a download cannot bring
      if (asset.reason) return { status: asset.reason, action: null, label: '', share: null };
      return { status: '', action: 'fetch', label: `Download ${size}`, share: null };
    case 'fetching':
      return { status: share < 1 ? here : 'Checking the files', action: 'cancel', label: 'Cancel', share };
    case 'partial':
      return { status: `${here} are here. The download can go on from there.`, action: 'fetch', label: 'Go on', share };
    case 'failed':
      return { status: asset.reason || 'The download failed.', action: 'fetch', label: 'Try again', share: null };
    case 'ready':
      return { status: 'Installed. Used from your next conversation.', action: null, label: '', share: null };
  }
}

const ANNOUNCED_STEPS = 4; // a screen reader hears the progress in quarters, not with every poll

/** Returns what a screen reader is told; it changes only when that is worth an interruption. */
export function announcementOf(asset: Asset): string {
  const { status, share } = offerOf(asset);
  if (asset.state === 'absent') return '';
  if (asset.state !== 'fetching') return `${asset.title}: ${status}`;
  if (share === 1) return `${asset.title}: ${status}`;
  const step = Math.floor((share ?? 0) * ANNOUNCED_STEPS) / ANNOUNCED_STEPS;
  return `${asset.title}: downloading, ${Math.round(step * 100)} percent`;
}

/** Returns the pipeline that this page's conversations run on; `model` is the one that its address names, or empty. */
export function pipelineFor(pipelines: readonly Pipeline[], model: string): Pipeline | null {
  const named = pipelines.find((one) => model !== '' && one.models.some((name) => fits(name, model)));
  return named ?? pipelines.find((one) => one.isDefault) ?? pipelines[0] ?? null;
}

/** Tells whether a name of the server's table, in which `*` stands for any characters, means a model. */
function fits(name: string, model: string): boolean {
  const parts = name.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`).test(model);
}

/** Returns the lines that let a local model answer; they go into the server's configuration file. */
export function configurationLines(server: LocalServer, model: string): string {
  return [
    '[engines]',
    'default = "hybrid"',
    '',
    '[models.table]',
    'vivavoce-local = "hybrid"',
    '',
    '[hybrid.generator]',
    'engine = "chat-completions"',
    `base_url = ${tomlText(server.baseUrl)}`,
    `model = ${tomlText(model)}`,
  ].join('\n');
}

/** A basic string of TOML; JSON writes the same escapes. */
function tomlText(text: string): string {
  return JSON.stringify(text);
}
