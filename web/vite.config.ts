import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

const SERVER = 'http://127.0.0.1:8040'; // where `vivavoce serve` listens; only the development server needs it

export default defineConfig({
  plugins: [svelte()],
  base: '/',
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0, // the page's content security policy refuses data: addresses
    modulePreload: { polyfill: false },
  },
  worker: { format: 'es' },
  server: {
    proxy: { '/v1': { target: SERVER, ws: true }, '/healthz': SERVER, '/api': SERVER },
  },
  test: { include: ['src/**/*.test.ts'], environment: 'node', css: true },
});
