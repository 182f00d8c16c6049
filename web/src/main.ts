import { mount } from 'svelte';
import './app.css';
import VoicePage from './voice/VoicePage.svelte';

const target = document.getElementById('app');
if (target === null) throw new Error('expected an element with the id "app"');
mount(VoicePage, { target });
