using System.Globalization;
using System.Security;
using System.Text;

namespace Rescind.Benchmarks;

/// <summary>A line chart as SVG, both axes by powers of ten, a name at the end of each line. Plain enough to be read
/// in a browser, in black and white as well: each line has a mark of its own.</summary>
internal sealed class Plot(string title, string across, string up)
{
    private const int Edge = -20;
    private const int Width = 900;
    private const int Height = 480;
    private const int Left = 70;
    private const int Right = 610;
    private const int Top = 50;
    private const int Bottom = 420;
    private const double LineHeight = 17;

    private static readonly string[] Colors =
    [
        "#c0392b", "#1f4e8c", "#2e7d32", "#8e5ea2", "#b8860b", "#00838f", "#6d4c41", "#455a64", "#d81b60", "#000000",
        "#7cb342", "#ef6c00",
    ];

    private readonly List<(string Name, List<(double X, double Y)> Points, bool IsOurs)> _lines = [];

    public void Add(string name, IEnumerable<(double X, double Y)> points, bool isOurs = false) =>
        _lines.Add((name, [.. points], isOurs));

    public void Write(string path)
    {
        var all = _lines.SelectMany(line => line.Points).ToList();
        var (x0, x1) = Powers(all.Select(point => point.X));
        var (y0, y1) = Powers(all.Select(point => point.Y));
        var svg = new StringBuilder();
        svg.AppendLine(Invariant(
            $"""
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="{Edge} 0 {Width - Edge} {Height}" font-family="sans-serif" font-size="13">
            <rect x="{Edge}" width="{Width - Edge}" height="{Height}" fill="#ffffff"/>
            <text x="{Left}" y="26" font-size="16" font-weight="bold">{title}</text>
            """));
        Grid(svg, (x0, x1), (y0, y1));
        var ends = Ends(point => Across(point, x0, x1), point => Upward(point, y0, y1));
        for (var i = 0; i < _lines.Count; i++)
        {
            Line(svg, i, point => Across(point, x0, x1), point => Upward(point, y0, y1), ends[i]);
        }
        svg.AppendLine("</svg>");
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        File.WriteAllText(path, svg.ToString());
        Console.WriteLine($"Plotted: {path}");
    }

    private void Grid(StringBuilder svg, (int From, int To) x, (int From, int To) y)
    {
        for (var power = x.From; power <= x.To; power++)
        {
            var at = Across(Math.Pow(10, power), x.From, x.To);
            svg.AppendLine(Invariant($"<path d=\"M{at:0} {Top}V{Bottom}\" stroke=\"#dddddd\"/>"));
            svg.AppendLine(Invariant(
                $"<text x=\"{at:0}\" y=\"{Bottom + 20}\" text-anchor=\"middle\">{Math.Pow(10, power):n0}</text>"));
        }
        for (var power = y.From; power <= y.To; power++)
        {
            var at = Upward(Math.Pow(10, power), y.From, y.To);
            svg.AppendLine(Invariant($"<path d=\"M{Left} {at:0}H{Right}\" stroke=\"#dddddd\"/>"));
            svg.AppendLine(Invariant(
                $"<text x=\"{Left - 8}\" y=\"{at + 4:0}\" text-anchor=\"end\">{Math.Pow(10, power):n0}</text>"));
        }
        var middle = (Left + Right) / 2;
        svg.AppendLine(Invariant($"<text x=\"{middle}\" y=\"{Bottom + 44}\" text-anchor=\"middle\">{across}</text>"));
        svg.AppendLine(Invariant(
            $"<text transform=\"translate({Edge + 18} {(Top + Bottom) / 2}) rotate(-90)\" text-anchor=\"middle\">{up}</text>"));
    }

    private void Line(
        StringBuilder svg, int index, Func<double, double> x, Func<double, double> y, double nameAt)
    {
        var (text, points, isOurs) = _lines[index];
        var name = SecurityElement.Escape(text);
        var color = Colors[index % Colors.Length];
        var (width, weight) = isOurs ? ("3.5", "bold") : ("1.5", "normal");
        var path = string.Join(" L", points.Select(point => Invariant($"{x(point.X):0.0} {y(point.Y):0.0}")));
        svg.AppendLine($"<path d=\"M{path}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"{width}\"/>");
        foreach (var point in points)
        {
            svg.AppendLine(Invariant(
                $"<circle cx=\"{x(point.X):0.0}\" cy=\"{y(point.Y):0.0}\" r=\"3.5\" fill=\"{color}\"/>"));
        }
        var last = points[^1];
        svg.AppendLine(Invariant(
            $"<path d=\"M{x(last.X) + 5:0.0} {y(last.Y):0.0} L{Right + 18} {nameAt:0.0}\" stroke=\"{color}\" opacity=\"0.4\"/>"));
        svg.AppendLine(Invariant(
            $"<text x=\"{Right + 22}\" y=\"{nameAt + 4:0.0}\" fill=\"{color}\" font-weight=\"{weight}\">{name}</text>"));
    }

    /// <summary>Where each name stands: beside the end of its line, moved down as far as the one above asks.</summary>
    private double[] Ends(Func<double, double> x, Func<double, double> y)
    {
        var ends = new double[_lines.Count];
        var free = (double)Top;
        foreach (var (end, index) in _lines.Select((line, index) => (y(line.Points[^1].Y), index)).Order())
        {
            ends[index] = Math.Max(end, free);
            free = ends[index] + LineHeight;
        }
        return ends;
    }

    private static (int From, int To) Powers(IEnumerable<double> values)
    {
        var logs = values.Select(Math.Log10).ToList();
        var (from, to) = ((int)Math.Floor(logs.Min() + 1e-9), (int)Math.Ceiling(logs.Max() - 1e-9));
        return (from, Math.Max(to, from + 1));
    }

    private static double Across(double value, int from, int to) =>
        Left + ((Right - Left) * (Math.Log10(value) - from) / (to - from));

    private static double Upward(double value, int from, int to) =>
        Bottom - ((Bottom - Top) * (Math.Log10(value) - from) / (to - from));

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
