/** The sheets that can lie over the page. */
export type SheetName = 'settings' | 'voice' | 'shortcuts' | 'details' | 'engines';
