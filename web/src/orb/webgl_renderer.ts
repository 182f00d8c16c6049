/** The orb as a fragment shader, for machines with a real GPU. */

import { REST_RADIUS, type Frame, type OrbRenderer } from './frame';

const VERTEX = `
attribute vec2 corner;
varying vec2 at;
void main() { at = corner; gl_Position = vec4(corner, 0.0, 1.0); }`;

// Clouds: value noise summed over three octaves, bent by itself. Ball: a sphere's normal gives light, shadow and rim.
const FRAGMENT = `
precision highp float;
varying vec2 at;
uniform vec3 colours[4];
uniform float levels[6];
uniform float flow, time, swirl, reach, sweep, glow, radius, dark;

float hash(vec2 p) { p = fract(p * vec2(123.34, 456.21)); p += dot(p, p + 45.32); return fract(p.x * p.y); }
float noise(vec2 p) {
  vec2 i = floor(p), f = fract(p);
  f = f * f * (3.0 - 2.0 * f);
  return mix(mix(hash(i), hash(i + vec2(1, 0)), f.x), mix(hash(i + vec2(0, 1)), hash(i + vec2(1, 1)), f.x), f.y);
}
float clouds(vec2 p) {
  float sum = 0.0, size = 0.5;
  for (int i = 0; i < 3; i++) { sum += size * noise(p); p = mat2(1.6, 1.2, -1.2, 1.6) * p; size *= 0.5; }
  return sum;
}
float wave(float a, float t) { return sin(a * 2.0 + t * 1.1) + 0.7 * sin(a * 3.0 - t * 1.7) + 0.45 * sin(a * 5.0 + t * 2.3); }

void main() {
  float r = length(at), a = atan(at.y, at.x), level = levels[0] * reach;
  float size = radius * (1.0 + 0.012 * sin(time * 1.4) + 0.1 * level);
  float edge = size * (1.0 + (0.004 + 0.014 * level) * wave(a, flow * 0.8));
  float soft = 2.5 * fwidth(r);
  float inside = smoothstep(edge + soft, edge - soft, r);

  vec2 p = at / edge;
  float turn = swirl * (2.4 * (1.0 - length(p)) + flow * 0.9);
  p = mat2(cos(turn), -sin(turn), sin(turn), cos(turn)) * p;
  vec2 bend = vec2(clouds(p * 0.8 + flow * 0.16), clouds(p * 0.8 - flow * 0.13 + 7.3));
  float field = clouds(p * 0.9 + 1.7 * bend + flow * 0.07);
  vec3 body = mix(colours[1], colours[2], smoothstep(0.26, 0.6, field));
  body = mix(body, colours[3], smoothstep(0.45, 0.8, bend.y) * 0.6);
  body = mix(body, colours[0], smoothstep(0.6, 0.95, field + bend.x * 0.4) * 0.7);

  float height = sqrt(max(0.0, 1.0 - min(1.0, dot(at, at) / (edge * edge))));
  vec3 normal = vec3(at / edge, height);
  float light = max(0.0, dot(normal, normalize(vec3(-0.45, 0.6, 0.75))));
  float rim = pow(1.0 - height, 3.0);
  body = mix(body * (0.42 + 0.72 * light), colours[0], 0.55 * pow(light, 12.0));
  body += colours[1] * rim * 0.55 + colours[0] * rim * 0.16;

  float halo = glow * (0.34 + 0.4 * level) * pow(max(0.0, 1.0 - (r - edge * 0.75) / (1.0 - edge * 0.75)), 3.2);
  float rings = 0.0;
  for (int i = 1; i < 6; i++) {
    float k = float(i), heard = levels[i] * reach;
    float ring = size * (1.04 + 0.066 * k + 0.07 * heard) * (1.0 + (0.004 + 0.008 * heard) * wave(a, flow + k * 0.25));
    rings += heard * (0.62 - 0.09 * k) * smoothstep(0.013, 0.0, abs(r - ring));
  }
  float tail = mod(time * 2.6 + a, 3.14159) / 3.14159;
  float arc = sweep * pow(tail, 3.0) * smoothstep(0.012, 0.004, abs(r - size * 1.17));

  float outside = clamp(halo + rings + arc, 0.0, 1.0) * (1.0 - inside);
  vec3 colour = mix(mix(colours[1], colours[2], 0.5 + 0.5 * sin(a + flow * 0.3)), body, inside);
  float alpha = max(inside, outside);
  gl_FragColor = vec4(colour * alpha, alpha);
}`;

const UNIFORMS = ['colours', 'levels', 'flow', 'time', 'swirl', 'reach', 'sweep', 'glow', 'radius', 'dark'] as const;
const SHADER_LEVELS = 6;

export class WebglRenderer implements OrbRenderer {
  readonly #places: Record<(typeof UNIFORMS)[number], WebGLUniformLocation | null>;

  private constructor(
    readonly canvas: HTMLCanvasElement,
    private readonly gl: WebGLRenderingContext,
    program: WebGLProgram,
  ) {
    this.#places = Object.fromEntries(
      UNIFORMS.map((name) => [name, gl.getUniformLocation(program, name)]),
    ) as Record<(typeof UNIFORMS)[number], WebGLUniformLocation | null>; // one entry per name
  }

  /** Returns a renderer, or null where WebGL is missing or drawn by the processor. */
  static make(mayBeSoftware = false): WebglRenderer | null {
    const canvas = document.createElement('canvas');
    const gl = canvas.getContext('webgl', { premultipliedAlpha: true, antialias: false, powerPreference: 'low-power' });
    if (gl === null || (!mayBeSoftware && isSoftware(gl))) return null;
    gl.getExtension('OES_standard_derivatives');
    const program = link(gl);
    return program === null ? null : new WebglRenderer(canvas, gl, program);
  }

  resize(pixels: number): void {
    this.canvas.width = pixels;
    this.canvas.height = pixels;
    this.gl.viewport(0, 0, pixels, pixels);
  }

  draw(frame: Frame): void {
    const { gl } = this;
    const { mood } = frame;
    const levels = Array.from({ length: SHADER_LEVELS }, (_, at) => frame.levels[at] ?? 0);
    gl.uniform3fv(this.#places.colours, mood.colours.flat().map((part) => part / 255));
    gl.uniform1fv(this.#places.levels, levels);
    gl.uniform1f(this.#places.flow, frame.flowTime);
    gl.uniform1f(this.#places.time, frame.timeS);
    gl.uniform1f(this.#places.swirl, mood.swirl);
    gl.uniform1f(this.#places.reach, mood.reach);
    gl.uniform1f(this.#places.sweep, mood.sweep);
    gl.uniform1f(this.#places.glow, mood.glow);
    gl.uniform1f(this.#places.radius, REST_RADIUS * 2);
    gl.uniform1f(this.#places.dark, frame.isDark ? 1 : 0);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  }

  /** Returns the median time in ms that a frame takes, waiting for the GPU each time. */
  measure(frame: Frame): number {
    const pixel = new Uint8Array(4);
    const times = Array.from({ length: 20 }, () => {
      const began = performance.now();
      this.draw(frame);
      this.gl.readPixels(0, 0, 1, 1, this.gl.RGBA, this.gl.UNSIGNED_BYTE, pixel);
      return performance.now() - began;
    });
    return times.sort((a, b) => a - b)[10] ?? Infinity;
  }

  dispose(): void {
    this.gl.getExtension('WEBGL_lose_context')?.loseContext();
    this.canvas.remove();
  }
}

function isSoftware(gl: WebGLRenderingContext): boolean {
  const info = gl.getExtension('WEBGL_debug_renderer_info');
  const name = String(gl.getParameter(info?.UNMASKED_RENDERER_WEBGL ?? gl.RENDERER));
  return /swiftshader|llvmpipe|softpipe|software|basic render/i.test(name);
}

function link(gl: WebGLRenderingContext): WebGLProgram | null {
  const program = gl.createProgram();
  for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, `#extension GL_OES_standard_derivatives : enable\n${FRAGMENT}`]] as const) {
    const shader = gl.createShader(kind);
    if (shader === null) return null;
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) return null;
  gl.useProgram(program);
  gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
  gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([-1, -1, 3, -1, -1, 3]), gl.STATIC_DRAW); // one triangle covers all
  gl.enableVertexAttribArray(gl.getAttribLocation(program, 'corner'));
  gl.vertexAttribPointer(gl.getAttribLocation(program, 'corner'), 2, gl.FLOAT, false, 0, 0);
  return program;
}
