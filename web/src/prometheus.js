/* The block for prometheus.yml, out of the page's own address. Pure. */
export function scrapeConfig({ protocol, host, path }, hasToken) {
  const lines = ["scrape_configs:", "  - job_name: metergate"];
  const metrics = `${path.replace(/[^/]*$/, "")}metrics`;
  if (protocol === "https:") lines.push("    scheme: https");
  if (metrics !== "/metrics") lines.push(`    metrics_path: ${JSON.stringify(metrics)}`);
  if (hasToken) lines.push("    authorization:", "      credentials_file: /etc/prometheus/metergate.token");
  lines.push("    static_configs:", `      - targets: [${JSON.stringify(host)}]`);
  return `${lines.join("\n")}\n`;
}
