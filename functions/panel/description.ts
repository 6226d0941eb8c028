/** Markdown that the CloudWatch console shows to a person who adds the widget to another dashboard. */
export const DESCRIPTION = `## Integration Guard: control panel
Every integration of one Qonversion project: its state, what the guard does next, its failures and its week. Buttons pause it, resume
it, ignore it for a day, or run a pass. The buttons call another function: a user who may invoke only this one can look, but not act.

### Widget parameters
Param | Description
---|---
**project** | Name of the project in the guard's settings. Not needed if there is only one.
**fleet** | \`true\` for a panel on which the reader enters a project of the fleet.

### Example parameters
\`\`\` yaml
project: production
\`\`\`
`;
