// Draws the charts of a report. Each is described by `charts.py`: `lines` (bands, lines, marks), `bars` (a mean and an
// interval a row) or `cloud` (a point a run). Numbers are written as `report/numbers.py` writes them.
"use strict";
(() => {
  const specs = JSON.parse(document.getElementById("data").textContent).charts;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const narrow = matchMedia("(max-width: 40rem)");
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const drawn = new Map();
  let printing = false;

  const rounded = (value, digits = 3) => {
    if (!Number.isFinite(value)) return "–";
    if (value === 0) return "0";
    const places = (v) => digits - 1 - Math.floor(Math.log10(Math.abs(v)));
    const factor = 10 ** places(value);
    const near = Math.round(value * factor) / factor;
    const shown = Math.max(0, places(near));
    return near.toLocaleString("en-US", { minimumFractionDigits: shown, maximumFractionDigits: shown });
  };
  const full = {
    usd: (v) => (v < 0 ? "-$" + rounded(-v) : "$" + rounded(v)),
    hours: (v) => (v < 1 ? rounded(v * 60) + " min" : v < 48 ? rounded(v) + " h" : rounded(v / 24) + " days"),
    percent: (v) => (v > 0 && v < 0.001 ? "<0.1 %" : v > 0.999 && v < 1 ? ">99.9 %"
      : (v * 100).toFixed(v < 0.1 && v > 0 ? 1 : 0) + " %"),
    count: (v) => (Math.abs(v) >= 1e9 ? rounded(v / 1e9) + " B" : Math.abs(v) >= 1e6 ? rounded(v / 1e6) + " M" : rounded(v)),
  };
  const plain = (v) => +v.toPrecision(4);
  const tick = {
    usd: (v) => "$" + (Math.abs(v) >= 1e6 ? plain(v / 1e6) + "M" : Math.abs(v) >= 1e3 ? plain(v / 1e3) + "k"
      : plain(v).toLocaleString("en-US")),
    hours: (v) => plain(v) + " h",
    percent: (v) => plain(v * 100) + " %",
    count: (v) => plain(v).toLocaleString("en-US"),
  };

  const colours = () => {
    const style = getComputedStyle(document.documentElement);
    const of = (name) => style.getPropertyValue("--" + name).trim();
    const paper = printing ? "#ffffff" : of("card");
    return {
      ink: printing ? "#000000" : of("ink"), soft: printing ? "#444444" : of("soft"),
      line: printing ? "#cccccc" : of("line"), card: paper,
      accent: printing ? "#0072b2" : of("accent"), budget: printing ? "#d55e00" : of("budget"), font: of("sans"),
    };
  };
  const escaped = (text) => String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
  const line = (name, text, dot) =>
    `<div style="display:flex;justify-content:space-between;gap:1.6em"><span>${dot || ""}${escaped(name)}</span>` +
    `<b style="font-weight:620">${escaped(text)}</b></div>`;
  const dot = (colour) =>
    `<span style="display:inline-block;width:.6em;height:.6em;border-radius:50%;margin-right:.5em;background:${colour}"></span>`;

  const base = (c) => ({
    animation: !still.matches && !printing, animationDuration: 500,
    aria: { enabled: false },  // the page says it in its own words
    textStyle: { fontFamily: c.font, color: c.ink },
    tooltip: {
      confine: true, backgroundColor: c.card, borderColor: c.line, borderWidth: 1, padding: [10, 14],
      textStyle: { color: c.ink, fontFamily: c.font, fontSize: 13 },
      extraCssText: "border-radius:10px;box-shadow:0 6px 24px rgba(0,0,0,.14);line-height:1.65",
      axisPointer: { lineStyle: { color: c.soft, type: "solid", opacity: 0.5 } },
    },
  });
  const axis = (c, about, isX, more = {}) => ({
    type: about.log ? "log" : "value", min: about.log ? "dataMin" : 0, max: about.max || (about.log ? "dataMax" : undefined),
    name: about.label, nameLocation: isX ? "middle" : "end", nameGap: isX ? 30 : 14,
    nameTextStyle: { color: c.soft, fontSize: 12, align: isX ? "center" : "left", padding: isX ? 0 : [0, 0, 0, -44] },
    axisLabel: { color: c.soft, fontSize: 12, formatter: tick[about.unit], hideOverlap: true,
      showMinLabel: !about.log, showMaxLabel: about.log ? false : undefined },
    axisLine: { show: isX, lineStyle: { color: c.line } }, axisTick: { show: isX, lineStyle: { color: c.line } },
    splitLine: { show: !isX, lineStyle: { color: c.line, opacity: 0.8 } }, minorSplitLine: { show: false },
    splitNumber: narrow.matches && isX ? 3 : 5, ...more,
  });
  const PHONE = 280;  // as wide as a chart may be there
  const rows = (names) => !narrow.matches ? 1
    : Math.ceil(names.reduce((wide, each) => wide + 40 + 7 * (each.name || each).length, 0) / PHONE);
  const grid = (names, marked) => ({ left: 56, right: 26, bottom: 50,
    top: (names ? 44 + 22 * rows(names) : 40) + (marked && narrow.matches ? 16 : 0) });
  const legend = (c, names) => ({
    data: names, top: 0, left: 0, itemWidth: 16, itemHeight: 9, itemGap: 16, icon: "roundRect",
    textStyle: { color: c.ink, fontSize: 12.5 }, inactiveColor: c.line,
  });

  function lines(spec, c) {
    const series = [];
    const names = [];
    spec.bands.forEach((band) => {
      names.push({ name: band.name });
      const points = spec.at.map((x, i) => [x, band.low[i], band.high[i]]);
      series.push({
        name: band.name, type: "custom", data: [points.flat()], silent: true, itemStyle: { color: c.accent, opacity: band.opacity },
        encode: { x: [0], y: [1] }, dimensions: undefined, clip: true, z: 1,
        renderItem: (_, api) => {
          const up = points.map((p) => api.coord([p[0], p[2]]));
          const down = points.map((p) => api.coord([p[0], p[1]])).reverse();
          return { type: "polygon", shape: { points: up.concat(down) }, style: { fill: c.accent, opacity: band.opacity } };
        },
      });
    });
    spec.lines.forEach((each, index) => {
      names.push({ name: each.name });
      const colour = each.colour ? c[each.colour] : c.accent;
      series.push({
        name: each.name, type: "line", data: spec.at.map((x, i) => [x, each.y[i]]), z: 3,
        step: each.step ? "end" : false, showSymbol: Boolean(each.points), symbol: "circle", symbolSize: each.points ? 6 : 8,
        lineStyle: { color: colour, width: 2.2, type: each.dash ? "dashed" : "solid" }, itemStyle: { color: colour },
        emphasis: { disabled: true },
        markLine: index ? undefined : {
          silent: true, symbol: "none", animation: false, lineStyle: { color: c.budget, type: "dashed", width: 1.8 },
          data: spec.marks.map((mark) => ({
            [mark.axis + "Axis"]: mark.value, name: mark.name,
            label: { formatter: mark.name, color: c.budget, fontSize: 12, fontWeight: 600,
              position: mark.axis === "y" ? "insideStartTop" : "end", distance: 4, align: mark.axis === "y" ? "left" : "right" },
          })),
        },
      });
    });
    const all = spec.lines.flatMap((each) => each.y).concat(spec.bands.flatMap((band) => band.high));
    const marksY = spec.marks.filter((mark) => mark.axis === "y").map((mark) => mark.value * 1.08);
    const marksX = spec.marks.filter((mark) => mark.axis === "x").map((mark) => mark.value * 1.04);
    const top = spec.y.max || Math.max(...all, ...marksY);
    const right = spec.x.log ? undefined : spec.x.max || Math.max(...spec.at, ...marksX);
    const several = names.length > 1;
    const marked = marksX.length > 0;  // the mark's name stands on top, where the axis' name is on a phone
    return {
      ...base(c), grid: grid(several ? names : undefined, marked), legend: several ? legend(c, names) : undefined,
      xAxis: axis(c, spec.x, true, right === undefined ? {} : { max: right, axisLabel: { color: c.soft, fontSize: 12, formatter: tick[spec.x.unit], hideOverlap: true, showMaxLabel: spec.x.max !== undefined } }),
      yAxis: axis(c, spec.y, false, { nameGap: marked && narrow.matches ? 30 : 14, max: spec.y.max || ((value) => Math.max(value.max, top)) }),
      dataZoom: spec.zoom ? [{ type: "inside", filterMode: "none", zoomOnMouseWheel: "ctrl", moveOnMouseWheel: false }] : [],
      series,
      tooltip: {
        ...base(c).tooltip, trigger: "axis",
        formatter: (items) => {
          const found = items.find((item) => item.seriesType === "line");
          if (!found) return "";
          const i = found.dataIndex;
          const shown = new Set(items.map((item) => item.seriesName));
          const head = spec.notes ? spec.notes[i] + ", " + full[spec.x.unit](spec.at[i]) : full[spec.x.unit](spec.at[i]);
          const told = spec.lines.filter((each) => shown.has(each.name))
            .map((each) => line(each.name, full[spec.y.unit](each.y[i]), dot(each.colour ? c[each.colour] : c.accent)));
          spec.bands.forEach((band) =>
            told.push(line(band.name, `${full[spec.y.unit](band.low[i])} to ${full[spec.y.unit](band.high[i])}`)));
          return `<div style="color:${c.soft}">${escaped(head)}</div>` + told.join("");
        },
      },
    };
  }

  function bars(spec, c) {
    const rows = spec.rows;
    const series = [{
      type: "bar", barWidth: "52%", data: rows.map((row) => ({ value: row.mean, itemStyle: { color: row.colour, borderColor: c.ink, borderWidth: 0.6, borderRadius: [0, 3, 3, 0] } })),
      label: spec.interval ? { show: false } : { show: true, position: "right", color: c.ink, formatter: (p) => full[spec.x.unit](p.value) },
    }];
    if (spec.interval) {
      series.push({
        type: "custom", z: 4, silent: true, data: rows.map((row, i) => [row.p10, i, row.p90, Math.max(row.mean, row.p90)]), encode: { x: [0, 2], y: 1 },
        renderItem: (_, api) => {
          const [x1, y] = api.coord([api.value(0), api.value(1)]);
          const [x2] = api.coord([api.value(2), api.value(1)]);
          const [end] = api.coord([api.value(3), api.value(1)]);
          const half = Math.min(7, api.size([0, 1])[1] * 0.18);
          const stroke = (a, b, p, q) => [
            { type: "line", shape: { x1: a, y1: b, x2: p, y2: q }, style: { stroke: c.card, lineWidth: 4.5 } },
            { type: "line", shape: { x1: a, y1: b, x2: p, y2: q }, style: { stroke: c.ink, lineWidth: 1.8 } }];
          const row = rows[api.value(1)];
          const whisker = row.p10 < row.p90
            ? [...stroke(x1, y, x2, y), ...stroke(x1, y - half, x1, y + half), ...stroke(x2, y - half, x2, y + half)] : [];
          return { type: "group", children: [...whisker, { type: "text", style: {
            x: end + 10, y, text: full[spec.x.unit](row.mean), fill: c.ink, font: `600 12.5px ${c.font}`, verticalAlign: "middle" } }] };
        },
      });
    }
    const most = Math.max(...rows.map((row) => Math.max(row.mean, row.p90)));
    return {
      ...base(c), grid: { left: narrow.matches ? 86 : 112, right: 58, top: 10, bottom: 50 },
      xAxis: axis(c, spec.x, true, { max: most * 1.04, splitLine: { show: true, lineStyle: { color: c.line } }, axisLabel: { color: c.soft, fontSize: 12, formatter: tick[spec.x.unit], hideOverlap: true, showMaxLabel: false } }),
      yAxis: { type: "category", inverse: true, data: rows.map((row) => row.name), axisTick: { show: false }, axisLine: { lineStyle: { color: c.line } },
        axisLabel: { color: c.ink, fontSize: 12.5, lineHeight: 15, width: narrow.matches ? 76 : 102, overflow: "break" } },
      series,
      tooltip: { ...base(c).tooltip, trigger: "axis", axisPointer: { type: "shadow", shadowStyle: { color: c.soft, opacity: 0.08 } },
        formatter: (items) => {
          const row = rows[items[0].dataIndex];
          const show = full[spec.x.unit];
          return `<div>${dot(row.colour)}<b>${escaped(row.name)}</b></div>` + line("mean", show(row.mean)) +
            (spec.interval ? line("median", show(row.p50)) + line("p10 to p90", `${show(row.p10)} to ${show(row.p90)}`) : "");
        } },
    };
  }

  function cloud(spec, c) {
    const right = Math.max(1, ...spec.points.map((p) => p[2])) + 0.6;
    const top = 1.1 * Math.max(...spec.points.map((p) => p[1]));
    const names = [{ name: "a run" }, { name: "the mean" }];
    const series = [
      { name: "a run", type: "scatter", data: spec.points, symbolSize: 6, itemStyle: { color: c.accent, opacity: 0.45 } },
      { name: "the mean", type: "scatter", data: [spec.mean], symbol: "diamond", symbolSize: 15, z: 5, itemStyle: { color: c.ink, borderColor: c.card, borderWidth: 2 } },
    ];
    if (spec.slope) {
      const name = `${full.usd(spec.slope)} a result`;
      const end = Math.min(right, top / spec.slope);
      names.push({ name });
      series.push({ name, type: "line", data: [[0, 0], [end, end * spec.slope]], showSymbol: false, silent: true,
        lineStyle: { color: c.budget, type: "dashed", width: 1.8 }, itemStyle: { color: c.budget } });
    }
    return {
      ...base(c), grid: grid(names), legend: legend(c, names),
      xAxis: axis(c, spec.x, true, { min: -0.5, max: right, minInterval: 1, splitLine: { show: false },
        axisLabel: { color: c.soft, fontSize: 12, formatter: (v) => (v >= 0 && Number.isInteger(v) ? v : "") } }),
      yAxis: axis(c, spec.y, false, { max: top, axisLabel: { color: c.soft, fontSize: 12, formatter: tick[spec.y.unit], showMaxLabel: false } }), series,
      dataZoom: [{ type: "inside", yAxisIndex: 0, filterMode: "none", zoomOnMouseWheel: "ctrl", moveOnMouseWheel: false }],
      tooltip: { ...base(c).tooltip, trigger: "item",
        formatter: (item) => (item.seriesName === "a run"
          ? line(`a run in world ${item.value[3]}`, "") + line("spend", full.usd(item.value[1])) + line("transferable results", String(item.value[2]))
          : line("mean spend", full.usd(spec.mean[1])) + line("mean results", full.count(spec.mean[0]))) },
    };
  }

  const drawers = { lines, bars, cloud };
  function draw() {
    const c = colours();
    for (const [id, spec] of Object.entries(specs)) {
      const place = document.getElementById(id);
      if (!place) continue;
      if (spec.kind === "bars") place.style.height = 76 + 44 * Math.max(1, spec.rows.length) + "px";
      const chart = drawn.get(id) || echarts.init(place, null, { renderer: "svg" });
      drawn.set(id, chart);
      chart.setOption(drawers[spec.kind](spec, c), { notMerge: true });
    }
  }
  const resize = () => drawn.forEach((chart) => chart.resize());
  draw();
  document.fonts.ready.then(draw);
  addEventListener("resize", resize);
  [dark, narrow].forEach((query) => query.addEventListener("change", draw));
  addEventListener("beforeprint", () => { printing = true; draw(); resize(); });
  addEventListener("afterprint", () => { printing = false; draw(); resize(); });
})();
