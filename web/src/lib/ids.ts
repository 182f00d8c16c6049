/** Returns a fresh item id; works on insecure addresses too, where `crypto.randomUUID` does not exist. */
export function makeItemId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(9));
  return `item_${[...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}
