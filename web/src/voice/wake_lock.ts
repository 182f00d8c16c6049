/** Keeps the screen on until the function returned is called; does nothing where the browser cannot. */
export function keepAwake(): () => void {
  let lock: WakeLockSentinel | null = null;
  let isWanted = true;

  async function acquire(): Promise<void> {
    if (!isWanted || document.hidden || !('wakeLock' in navigator)) return;
    try {
      lock = await navigator.wakeLock.request('screen');
    } catch {
      lock = null; // low battery, or the page was hidden meanwhile: the screen may then go dark
    }
  }

  const visible = (): void => void acquire();
  document.addEventListener('visibilitychange', visible); // the lock is lost whenever the page is hidden
  void acquire();
  return () => {
    isWanted = false;
    document.removeEventListener('visibilitychange', visible);
    void lock?.release();
  };
}
