import { type EChartsOption, init } from 'echarts';
import { COLOURS, FONT, WIDTH } from './theme.ts';

export interface Chart {
  height: number;
  title: string;
  /** What the colours and lines mean. */
  subtitle: string;
  option: EChartsOption;
}

/** The chart as an SVG document; `origin` says where its figures come from. */
export function renderChart({ height, title, subtitle, option }: Chart, origin: string): string {
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height });
  try {
    chart.setOption({
      animation: false,
      backgroundColor: COLOURS.background,
      textStyle: { fontFamily: FONT, color: COLOURS.text },
      title: {
        text: title,
        subtext: `${subtitle}\n${origin}`,
        left: 16,
        top: 12,
        textStyle: { fontSize: 16, fontWeight: 600, color: COLOURS.text },
        subtextStyle: { fontSize: 12, lineHeight: 17, color: COLOURS.faint },
      },
      ...option,
    });
    return chart.renderToSVGString();
  } finally {
    chart.dispose();
  }
}
