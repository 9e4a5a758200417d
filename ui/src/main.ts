import { mount } from 'svelte';
import App from './App.svelte';
import './app.css';
import { theme } from './lib/theme.svelte';

theme.apply();
const place = document.getElementById('app')!;
place.replaceChildren(); // what stands there if this program is never loaded
mount(App, { target: place });
