/** The conversation as it is replayed into a fresh session: what was said and what was heard, nothing else. */

import type { Message } from './protocol';
import { messageItem } from './session_client';
import type { Caption } from './view_state';

const MAX_REPLAYED = 200;

/** Returns the finished turns as items, oldest first, under the ids they have. */
export function historyOf(captions: readonly Caption[]): Message[] {
  return captions
    .filter((it) => it.isFinal && !it.isFailed)
    .map((it) => ({ ...it, heard: it.speaker === 'user' ? it.text : it.text.slice(0, it.heardChars) }))
    .filter((it) => it.heard.trim() !== '')
    .slice(-MAX_REPLAYED)
    .map((it) => messageItem(it.speaker, it.itemId, it.heard));
}
