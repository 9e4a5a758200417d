import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';

// What is built goes into the package, where the server finds it. Nothing is inlined: the
// server's policy allows neither inline scripts nor data addresses.
export default defineConfig({
  plugins: [svelte()],
  build: {
    outDir: '../src/surefoot/web/ui',
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: 'es2022',
  },
  server: { proxy: { '/api': { target: 'http://127.0.0.1:8770', ws: true } } },
});
