/** Draws the orb into an element: chooses the renderer, follows phase and levels, and rests when nobody looks. */

import { LevelFollower, loudness } from '../lib/levels';
import type { Phase } from '../lib/view_state';
import { CanvasRenderer } from './canvas_renderer';
import type { Frame, OrbRenderer } from './frame';
import { MOODS, isLively, mix, shareAfter, type Mood } from './mood';
import { StillRenderer } from './still_renderer';
import { WebglRenderer } from './webgl_renderer';

export interface OrbSource {
  readonly phase: () => Phase;
  readonly levels: () => { readonly input: number; readonly output: number }; // RMS
  readonly isDark: () => boolean;
}

const IDLE_FRAME_MS = 1000 / 30;
const TRACE_STEP_MS = 70; // how far apart in time the rings are
const RINGS = 6;
const MAX_PIXEL_RATIO = 1.75; // soft clouds need no more; a phone's 3 would cost three times the work
const AFFORDABLE_FRAME_MS = 8;

export class Orb {
  #renderer: OrbRenderer;
  #mood: Mood;
  #flowTime = 12; // a pleasant arrangement of the clouds to begin with
  #drawnAt = 0;
  #tracedAt = 0;
  #request = 0;
  #trace: number[] = Array.from({ length: RINGS }, () => 0);
  readonly #follower = new LevelFollower();
  readonly #motion = matchMedia('(prefers-reduced-motion: reduce)');
  readonly #sizes = new ResizeObserver(() => this.#resize());

  constructor(
    private readonly host: HTMLElement,
    private readonly source: OrbSource,
    private readonly wish: string | null = null, // "canvas" or "webgl" whatever the machine is
  ) {
    this.#mood = MOODS[source.phase()];
    this.#renderer = this.#choose();
    this.#adopt(this.#renderer);
    this.#sizes.observe(host);
    this.#motion.addEventListener('change', this.#motionChanged);
    document.addEventListener('visibilitychange', this.#visibilityChanged);
    this.#request = requestAnimationFrame(this.#tick);
  }

  dispose(): void {
    cancelAnimationFrame(this.#request);
    this.#sizes.disconnect();
    this.#motion.removeEventListener('change', this.#motionChanged);
    document.removeEventListener('visibilitychange', this.#visibilityChanged);
    this.#renderer.dispose();
  }

  #choose(): OrbRenderer {
    if (this.#motion.matches) return new StillRenderer();
    const isForced = this.wish === 'webgl';
    const isWeak = navigator.hardwareConcurrency <= 2;
    const shader = this.wish === 'canvas' || (isWeak && !isForced) ? null : WebglRenderer.make(isForced);
    if (shader === null) return new CanvasRenderer();
    shader.resize(this.#pixels());
    if (isForced || shader.measure(this.#frame(0)) < AFFORDABLE_FRAME_MS) return shader;
    shader.dispose();
    return new CanvasRenderer();
  }

  #adopt(renderer: OrbRenderer): void {
    this.#renderer = renderer;
    this.host.replaceChildren(renderer.canvas);
    this.#resize();
  }

  #pixels(): number {
    const ratio = Math.min(MAX_PIXEL_RATIO, window.devicePixelRatio || 1);
    return Math.max(64, Math.round(this.host.clientWidth * ratio));
  }

  #resize(): void {
    this.#renderer.resize(this.#pixels());
    this.#renderer.draw(this.#frame(performance.now()));
  }

  readonly #motionChanged = (): void => {
    this.#renderer.dispose();
    this.#adopt(this.#choose());
  };

  readonly #visibilityChanged = (): void => {
    cancelAnimationFrame(this.#request);
    if (!document.hidden) this.#request = requestAnimationFrame(this.#tick);
  };

  readonly #tick = (now: number): void => {
    this.#request = requestAnimationFrame(this.#tick);
    const elapsedMs = Math.min(100, now - this.#drawnAt);
    const shortestMs = isLively(this.source.phase()) ? 0 : IDLE_FRAME_MS - 4;
    if (elapsedMs < shortestMs) return;
    this.#drawnAt = now;
    this.#advance(now, elapsedMs);
    this.#renderer.draw(this.#frame(now));
  };

  #advance(now: number, elapsedMs: number): void {
    const phase = this.source.phase();
    const { input, output } = this.source.levels();
    const level = this.#follower.follow(loudness(phase === 'speaking' ? output : input), elapsedMs);
    this.#mood = mix(this.#mood, MOODS[phase], shareAfter(elapsedMs));
    this.#flowTime += (elapsedMs / 1000) * this.#mood.flow * (1 + level);
    if (now - this.#tracedAt >= TRACE_STEP_MS) {
      this.#tracedAt = now;
      this.#trace = [level, ...this.#trace].slice(0, RINGS);
    }
    this.#trace[0] = level;
  }

  #frame(now: number): Frame {
    return {
      mood: this.#mood,
      flowTime: this.#flowTime,
      timeS: now / 1000,
      levels: this.#trace,
      isDark: this.source.isDark(),
    };
  }
}
