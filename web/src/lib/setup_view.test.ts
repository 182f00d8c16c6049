import { describe, expect, test } from 'vitest';
import type { Asset, LocalServer, Pipeline } from './setup_api';
import { announcementOf, configurationLines, offerOf, pipelineFor, sizeText } from './setup_view';

const ASSET: Asset = {
  name: 'moonshine',
  title: 'Moonshine',
  licence: 'MIT',
  source: 'moonshine-voice 1.0',
  sizeBytes: 200_000_000,
  bytesDone: 0,
  state: 'absent',
  reason: '',
};

describe('offerOf', () => {
  test('offers the download of what is absent with its size', () => {
    expect(offerOf(ASSET)).toEqual({ status: '', action: 'fetch', label: 'Download 200 MB', share: null });
  });

  test('offers nothing where a download would not help, and tells why', () => {
    const offer = offerOf({ ...ASSET, reason: 'The Python package moonshine-voice is not installed.' });

    expect(offer).toMatchObject({ action: null, status: 'The Python package moonshine-voice is not installed.' });
  });

  test('tells how much of a running download is here, and lets it be cancelled', () => {
    const offer = offerOf({ ...ASSET, state: 'fetching', bytesDone: 50_000_000 });

    expect(offer).toEqual({ status: '50 MB of 200 MB', action: 'cancel', label: 'Cancel', share: 0.25 });
  });

  test('a download that is all here is being checked', () => {
    expect(offerOf({ ...ASSET, state: 'fetching', bytesDone: 200_000_000 }).status).toBe('Checking the files');
  });

  test('a download that ended early can go on', () => {
    expect(offerOf({ ...ASSET, state: 'partial', bytesDone: 50_000_000 })).toMatchObject({ action: 'fetch', label: 'Go on', share: 0.25 });
  });

  test('a failed one tells its reason and can be tried again', () => {
    const offer = offerOf({ ...ASSET, state: 'failed', reason: 'No network.' });

    expect(offer).toEqual({ status: 'No network.', action: 'fetch', label: 'Try again', share: null });
  });

  test('what is ready is used from the next conversation', () => {
    expect(offerOf({ ...ASSET, state: 'ready' })).toMatchObject({ action: null, status: expect.stringContaining('next conversation') });
  });

  test('a size of nothing does not divide by it', () => {
    expect(offerOf({ ...ASSET, sizeBytes: 0, state: 'fetching' }).share).toBe(0);
  });
});

test.each([
  [400_000, '0.4 MB'],
  [190_400_000, '190 MB'],
  [1_240_000_000, '1.2 GB'],
])('%d bytes are %s', (bytes, text) => {
  expect(sizeText(bytes)).toBe(text);
});

test('a screen reader hears the progress in quarters', () => {
  const said = [1, 49, 51, 99, 101, 199].map((megabytes) =>
    announcementOf({ ...ASSET, state: 'fetching', bytesDone: megabytes * 1_000_000 }),
  );

  expect(new Set(said).size).toBe(4);
  expect(said.at(-1)).toBe('Moonshine: downloading, 75 percent');
});

test('a screen reader hears how a download ended, and nothing before one', () => {
  expect(announcementOf(ASSET)).toBe('');
  expect(announcementOf({ ...ASSET, state: 'failed', reason: 'No network.' })).toBe('Moonshine: No network.');
  expect(announcementOf({ ...ASSET, state: 'ready' })).toContain('Installed');
});

describe('pipelineFor', () => {
  const local: Pipeline = { name: 'embedded', models: ['vivavoce-local'], isDefault: true, stages: [] };
  const scripted: Pipeline = { name: 'scripted', models: ['vivavoce-scripted'], isDefault: false, stages: [] };

  test('the model of the address picks its pipeline, anything else the default', () => {
    expect(pipelineFor([scripted, local], 'vivavoce-scripted')).toBe(scripted);
    expect(pipelineFor([scripted, local], 'unknown')).toBe(local);
    expect(pipelineFor([scripted, local], '')).toBe(local);
  });

  test('an upstream serves names by pattern', () => {
    const upstream: Pipeline = { name: 'upstream', models: ['gpt-realtime*', 'a.b'], isDefault: false, stages: [] };

    expect(pipelineFor([local, upstream], 'gpt-realtime-mini')).toBe(upstream);
    expect(pipelineFor([local, upstream], 'a.b')).toBe(upstream);
    expect(pipelineFor([local, upstream], 'axb')).toBe(local);
    expect(pipelineFor([local, upstream], 'my-gpt-realtime')).toBe(local);
  });

  test('a server that tells nothing has none', () => {
    expect(pipelineFor([], '')).toBeNull();
  });
});

test('the lines for the configuration name the server and the model, whatever it is called', () => {
  const server: LocalServer = { name: 'Ollama', baseUrl: 'http://127.0.0.1:11434/v1', models: ['a'] };

  expect(configurationLines(server, 'a "quoted" one')).toBe(
    [
      '[engines]',
      'default = "hybrid"',
      '',
      '[models.table]',
      'vivavoce-local = "hybrid"',
      '',
      '[hybrid.generator]',
      'engine = "chat-completions"',
      'base_url = "http://127.0.0.1:11434/v1"',
      'model = "a \\"quoted\\" one"',
    ].join('\n'),
  );
});
