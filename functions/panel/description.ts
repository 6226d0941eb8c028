/** What the CloudWatch console shows when the widget is added to another dashboard: Markdown, as its guide asks. */
export const DESCRIPTION = `## Integration Guard: control panel
Every integration of one Qonversion project: state, failures against the threshold, the week, what the guard does next, and
buttons to pause, resume, ignore for a day and run a pass. The buttons call another function than this one: who may invoke
this one only may look and not act.

### Widget parameters
Param | Description
---|---
**project** | Name of the project in the guard's settings. May be left out when there is one.
**fleet** | \`true\` for a panel on which any project of the fleet can be named.

### Example parameters
\`\`\` yaml
project: production
\`\`\`
`;
