/** The orb on a 2D canvas: clouds of colour in a glass ball, and rings that carry the voice outwards. */

import { REST_RADIUS, type Frame, type OrbRenderer } from './frame';
import type { Rgb } from './mood';

const OUTLINE_POINTS = 72;

// Where each cloud drifts (frequencies and phases of its path), its size against the ball, and its colour.
const CLOUDS = [
  { fx: 0.31, fy: 0.43, px: 0.0, py: 1.3, size: 1.3, colour: 1 },
  { fx: 0.47, fy: 0.29, px: 2.1, py: 0.4, size: 1.2, colour: 2 },
  { fx: 0.23, fy: 0.53, px: 4.2, py: 2.6, size: 1.05, colour: 1 },
  { fx: 0.59, fy: 0.37, px: 1.1, py: 5.1, size: 0.95, colour: 2 },
  { fx: 0.37, fy: 0.61, px: 3.3, py: 3.9, size: 0.9, colour: 0 },
] as const;

const FALLOFF = [0, 0.12, 0.25, 0.4, 0.55, 0.7, 0.85, 1] as const;

/** Adds the stops of a bell curve, so that a cloud has neither a spot in its middle nor an edge. */
function addSoftStops(fill: CanvasGradient, colour: Rgb, strength: number): void {
  for (const at of FALLOFF) {
    const bell = (Math.exp(-4.2 * at * at) - Math.exp(-4.2)) / (1 - Math.exp(-4.2));
    fill.addColorStop(at, css(colour, strength * bell));
  }
}

function css(colour: Rgb, alpha: number): string {
  return `rgba(${colour.map(Math.round).join(',')},${alpha.toFixed(3)})`;
}

export class CanvasRenderer implements OrbRenderer {
  readonly canvas = document.createElement('canvas');
  readonly #pen: CanvasRenderingContext2D;
  #size = 0;

  constructor() {
    const pen = this.canvas.getContext('2d');
    if (pen === null) throw new Error('expected a 2D canvas');
    this.#pen = pen;
  }

  resize(pixels: number): void {
    this.#size = pixels;
    this.canvas.width = pixels;
    this.canvas.height = pixels;
  }

  draw(frame: Frame): void {
    const pen = this.#pen;
    const level = (frame.levels[0] ?? 0) * frame.mood.reach;
    const breath = 0.012 * Math.sin(frame.timeS * 1.4) * Math.min(1, frame.mood.flow);
    const radius = this.#size * REST_RADIUS * (1 + breath + 0.1 * level);
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, this.#size, this.#size);
    pen.translate(this.#size / 2, this.#size / 2);
    this.#halo(frame, radius, level);
    this.#rings(frame, radius);
    this.#ball(frame, radius, level);
    this.#arc(frame, radius);
  }

  dispose(): void {
    this.canvas.remove();
  }

  #halo(frame: Frame, radius: number, level: number): void {
    const [, first] = frame.mood.colours;
    const strength = frame.mood.glow * (0.42 + 0.38 * level) * (frame.isDark ? 1 : 0.85);
    const outer = this.#size / 2;
    const glow = this.#pen.createRadialGradient(0, 0, radius * 0.7, 0, 0, outer);
    addSoftStops(glow, first, strength);
    this.#pen.fillStyle = glow;
    this.#pen.fillRect(-outer, -outer, outer * 2, outer * 2);
  }

  /** Each ring shows the level of a moment further back, so that a syllable travels outwards. */
  #rings(frame: Frame, radius: number): void {
    const pen = this.#pen;
    const [, first, second] = frame.mood.colours;
    for (let ring = 1; ring < frame.levels.length; ring += 1) {
      const level = (frame.levels[ring] ?? 0) * frame.mood.reach;
      if (level < 0.02) continue;
      const at = radius * (1.04 + 0.066 * ring + 0.07 * level);
      this.#outline(at, frame.flowTime + ring * 0.25, 0.004 + 0.008 * level);
      pen.lineWidth = this.#size * 0.003 * (1 + 1.4 * level);
      pen.strokeStyle = css(ring % 2 ? first : second, level * (0.62 - 0.09 * ring) * (frame.isDark ? 1 : 1.25));
      pen.stroke();
    }
  }

  #ball(frame: Frame, radius: number, level: number): void {
    const pen = this.#pen;
    const [light, first, , shadow] = frame.mood.colours;
    pen.save();
    this.#outline(radius, frame.flowTime * 0.8, 0.004 + 0.014 * level);
    pen.clip();
    const base = pen.createLinearGradient(-radius * 0.6, -radius, radius * 0.6, radius);
    base.addColorStop(0, css(first, 1));
    base.addColorStop(1, css(shadow, 1));
    pen.fillStyle = base;
    pen.fillRect(-radius * 1.2, -radius * 1.2, radius * 2.4, radius * 2.4);
    for (const cloud of CLOUDS) this.#cloud(frame, cloud, radius);
    this.#shade(radius, light, shadow);
    pen.restore();
  }

  #cloud(frame: Frame, cloud: (typeof CLOUDS)[number], radius: number): void {
    const { swirl, colours } = frame.mood;
    const time = frame.flowTime;
    const drift = { x: Math.sin(time * cloud.fx + cloud.px), y: Math.cos(time * cloud.fy + cloud.py) };
    const turn = time * 0.9 + cloud.px * 1.6;
    const x = radius * 0.58 * (drift.x * (1 - swirl) + Math.cos(turn) * swirl);
    const y = radius * 0.58 * (drift.y * (1 - swirl) + Math.sin(turn) * swirl);
    const size = radius * cloud.size;
    const colour = colours[cloud.colour];
    const fill = this.#pen.createRadialGradient(x, y, 0, x, y, size);
    addSoftStops(fill, colour, cloud.colour === 0 ? 0.8 : 0.95);
    this.#pen.fillStyle = fill;
    this.#pen.fillRect(x - size, y - size, size * 2, size * 2);
  }

  /** Light from above left, shadow below right, and the bright rim of glass. */
  #shade(radius: number, light: Rgb, shadow: Rgb): void {
    const pen = this.#pen;
    const edge = radius * 1.2;
    const depth = pen.createRadialGradient(-radius * 0.25, -radius * 0.32, radius * 0.3, 0, 0, radius * 1.04);
    depth.addColorStop(0, css(shadow, 0));
    depth.addColorStop(0.72, css(shadow, 0.06));
    depth.addColorStop(1, css(shadow, 0.62));
    pen.fillStyle = depth;
    pen.fillRect(-edge, -edge, edge * 2, edge * 2);
    const shine = pen.createRadialGradient(-radius * 0.36, -radius * 0.46, 0, -radius * 0.36, -radius * 0.46, radius * 0.72);
    addSoftStops(shine, light, 0.62);
    pen.fillStyle = shine;
    pen.fillRect(-edge, -edge, edge * 2, edge * 2);
    const rim = pen.createRadialGradient(0, 0, radius * 0.9, 0, 0, radius * 1.02);
    rim.addColorStop(0, css(light, 0));
    rim.addColorStop(1, css(light, 0.34));
    pen.fillStyle = rim;
    pen.fillRect(-edge, -edge, edge * 2, edge * 2);
  }

  #arc(frame: Frame, radius: number): void {
    const { sweep, colours } = frame.mood;
    if (sweep < 0.02) return;
    const pen = this.#pen;
    const ring = pen.createConicGradient(frame.timeS * 2.6, 0, 0);
    for (const [from, colour] of [[0, colours[1]], [0.5, colours[2]]] as const) {
      ring.addColorStop(from, css(colour, 0));
      ring.addColorStop(from + 0.12, css(colour, 0));
      ring.addColorStop(from + 0.34, css(colour, 0.25 * sweep));
      ring.addColorStop(from + 0.494, css(colour, sweep));
      ring.addColorStop(from + 0.5, css(colour, 0));
    }
    pen.beginPath();
    pen.arc(0, 0, radius * 1.17, 0, Math.PI * 2);
    pen.lineWidth = this.#size * 0.0065;
    pen.strokeStyle = ring;
    pen.stroke();
  }

  #outline(radius: number, time: number, wobble: number): void {
    const pen = this.#pen;
    pen.beginPath();
    for (let point = 0; point <= OUTLINE_POINTS; point += 1) {
      const angle = (point / OUTLINE_POINTS) * Math.PI * 2;
      const wave =
        Math.sin(angle * 2 + time * 1.1) + 0.7 * Math.sin(angle * 3 - time * 1.7) + 0.45 * Math.sin(angle * 5 + time * 2.3);
      const r = radius * (1 + wobble * wave);
      pen.lineTo(Math.cos(angle) * r, Math.sin(angle) * r);
    }
    pen.closePath();
  }
}
