// Dark or light: what the system says, unless somebody chose.
type Choice = 'dark' | 'light';

class Theme {
  chosen = $state<Choice | null>((localStorage.getItem('theme') as Choice | null) ?? null);

  get now(): Choice {
    return this.chosen ?? (matchMedia('(prefers-color-scheme: light)').matches ? 'light' : 'dark');
  }

  toggle() {
    this.chosen = this.now === 'dark' ? 'light' : 'dark';
    localStorage.setItem('theme', this.chosen);
    this.apply();
  }

  apply() {
    document.documentElement.dataset.theme = this.now;
  }
}

export const theme = new Theme();
