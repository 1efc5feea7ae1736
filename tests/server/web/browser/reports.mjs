// Reports as files of their own, each at two widths, light and dark: node reports.mjs FIRST_ADDRESS PICTURES CHROMIUM
import { ask, finish, readReport } from "./person.mjs";

for (const [name, file] of Object.entries(JSON.parse(await ask("reports")))) await readReport(file, name);
await finish();
