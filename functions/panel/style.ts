/**
 * The panel's style. It turns the dashboard's own style off (`cwdb-no-default-styles`), so both themes are complete here. Every
 * colour has a contrast of 4.5:1 on the dashboard's background, and a word or a shape repeats its meaning. Narrow panels, such as on a
 * phone, get a card for each row and buttons that a finger hits (WCAG 2.2 asks for 24 by 24 pixels).
 */
export const STYLE = `
.ig{--text:#16191f;--muted:#545b64;--line:#d5dbdb;--ground:#fff;--raised:#f4f6f8;--good:#176b02;--info:#0a58a8;--warning:#855c00;--bad:#b0140c;--off:#545b64;--link:#0a58a8;
container-type:inline-size;color:var(--text);background:var(--ground);font:13px/1.45 "Amazon Ember","Helvetica Neue",Roboto,Arial,sans-serif;padding:4px 8px 12px}
.ig-dark{--text:#e9ebed;--muted:#b3bcc6;--line:#414d5c;--ground:#0f1b2a;--raised:#192534;--good:#7bd675;--info:#8ac6ff;--warning:#f2c657;--bad:#ff9d94;--off:#b3bcc6;--link:#8ac6ff}
.ig *{box-sizing:border-box}
.ig h2,.ig h3,.ig p,.ig ul{margin:0;padding:0}
.ig h2{font-size:17px;line-height:1.3;font-weight:700}
.ig h3{font-size:13px;font-weight:700;margin:14px 0 4px}
.ig-head{display:flex;flex-wrap:wrap;gap:4px 16px;align-items:center;justify-content:space-between;padding:4px 0 8px}
.ig-muted{color:var(--muted)}
.ig-good{color:var(--good)}.ig-info{color:var(--info)}.ig-warning{color:var(--warning)}.ig-bad{color:var(--bad)}.ig-off{color:var(--off)}
.ig-note{border:1px solid currentColor;border-left-width:5px;border-radius:3px;padding:6px 10px;margin:0 0 8px;font-weight:700}
.ig-troubles{list-style:none;margin:0 0 8px;padding:0}
.ig-troubles li{border-left:5px solid var(--warning);background:var(--raised);padding:6px 10px;margin-bottom:4px}
.ig-filter{display:flex;flex-wrap:wrap;gap:6px 12px;align-items:end;margin:0 0 8px}
.ig-filter label{display:grid;gap:2px;color:var(--muted);font-size:12px}
.ig input,.ig select{font:inherit;color:var(--text);background:var(--ground);border:1px solid var(--muted);border-radius:3px;padding:3px 6px;min-height:32px;max-width:100%}
.ig button{font:inherit;font-weight:700;color:var(--link);background:var(--ground);border:1px solid currentColor;border-radius:3px;padding:2px 9px;min-height:32px;margin:0 6px 6px 0;cursor:pointer;white-space:nowrap}
.ig button:hover{background:var(--raised)}
.ig button:focus-visible,.ig input:focus-visible,.ig select:focus-visible,.ig summary:focus-visible{outline:3px solid var(--info);outline-offset:1px}
.ig table{width:100%;border-collapse:collapse;font:inherit;color:inherit}
.ig th{text-align:left;font-size:12px;color:var(--muted);border-bottom:2px solid var(--line);padding:4px 10px 4px 0;white-space:nowrap}
.ig td{vertical-align:top;border-bottom:1px solid var(--line);padding:7px 10px 7px 0}
.ig th.ig-name{color:var(--text);font-size:13px;white-space:normal;border-bottom:1px solid var(--line);vertical-align:top;padding:7px 10px 7px 0;min-width:130px}
.ig-name small,.ig td small{display:block;font-size:12px;font-weight:400;color:var(--muted);overflow-wrap:anywhere}
.ig-state{font-weight:700}
.ig-cards td:nth-child(2){min-width:112px}
.ig-cards td{overflow-wrap:anywhere}
.ig-bar{height:8px;width:110px;max-width:100%;border:1px solid var(--muted);border-radius:4px;overflow:hidden;background:var(--ground);margin-top:3px}
.ig-bar span{display:block;height:100%;background:var(--warning)}
.ig-bar-full span{background:var(--bad)}
.ig-week{display:block;width:140px;height:22px;margin-top:2px}
.ig-week .ig-day{stroke:var(--line);stroke-width:.4}
.ig-week .ig-delivering{fill:var(--good)}.ig-week .ig-failing{fill:var(--warning)}.ig-week .ig-probing{fill:var(--info)}
.ig-week .ig-paused,.ig-week .ig-suspended{fill:var(--bad)}.ig-week .ig-operator{fill:var(--off)}
.ig-acts{white-space:nowrap}
.ig-legend{display:flex;flex-wrap:wrap;gap:2px 14px;font-size:12px;color:var(--muted);margin:6px 0 0;padding:0;list-style:none}
.ig-legend svg{display:inline-block;width:16px;height:12px;margin:0 5px 0 0}
.ig summary{cursor:pointer;font-weight:700;padding:6px 0;min-height:32px;color:var(--link)}
.ig cwdb-action{display:none}
@container (max-width:820px){
.ig-cards thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
.ig-cards,.ig-cards tbody,.ig-cards tr,.ig-cards td,.ig-cards th.ig-name{display:block;width:100%}
.ig-cards tr{border:1px solid var(--line);border-radius:4px;padding:4px 10px;margin-bottom:8px}
.ig-cards td,.ig-cards th.ig-name{border:0;padding:3px 0;overflow-wrap:anywhere}
.ig-cards td[data-label]{display:grid;grid-template-columns:84px minmax(0,1fr);gap:8px}
.ig-cards td[data-label]::before{content:attr(data-label);color:var(--muted);font-size:12px}
.ig-cards td[data-label=Do]{display:block}
.ig-cards td[data-label=Do]::before{display:none}
.ig-cards .ig-acts{white-space:normal}
.ig-cards td.ig-nothing[data-label]{display:none}
.ig button{min-height:40px}
.ig input,.ig select{min-height:40px;font-size:16px;width:100%}
.ig-filter label{flex:1 1 130px}
}`;
