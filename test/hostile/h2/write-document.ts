/** Makes the tables of docs/hostile-input-h2.md anew, of the catalogue and of what the peers were last seen to do. */
import { writeDocument } from './document.ts';
import { readObserved } from './observed.ts';

await writeDocument(readObserved());
