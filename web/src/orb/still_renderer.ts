/** The orb for people who asked for less motion: a disc that stands still, and a ring as thick as the voice is loud. */

import { REST_RADIUS, type Frame, type OrbRenderer } from './frame';
import type { Rgb } from './mood';

const css = (colour: Rgb, alpha: number): string => `rgba(${colour.map(Math.round).join(',')},${alpha})`;

export class StillRenderer implements OrbRenderer {
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
    const [light, first, second, shadow] = frame.mood.colours;
    const [middle, radius] = [this.#size / 2, this.#size * REST_RADIUS];
    const level = (frame.levels[0] ?? 0) * frame.mood.reach;
    pen.clearRect(0, 0, this.#size, this.#size);
    const fill = pen.createRadialGradient(middle - radius * 0.35, middle - radius * 0.45, 0, middle, middle, radius);
    fill.addColorStop(0, css(light, 1));
    fill.addColorStop(0.35, css(second, 1));
    fill.addColorStop(0.7, css(first, 1));
    fill.addColorStop(1, css(shadow, 1));
    pen.fillStyle = fill;
    this.#circle(middle, radius);
    pen.fill();
    pen.strokeStyle = css(first, 0.9);
    pen.lineWidth = this.#size * (0.006 + 0.06 * level);
    this.#circle(middle, radius * 1.16 + pen.lineWidth / 2);
    pen.stroke();
  }

  dispose(): void {
    this.canvas.remove();
  }

  #circle(middle: number, radius: number): void {
    this.#pen.beginPath();
    this.#pen.arc(middle, middle, radius, 0, Math.PI * 2);
  }
}
