using System.Globalization;
using PoolApi.PoolBenchmarks.Measurements;
using PoolApi.PoolBenchmarks.Peers;

namespace PoolApi.PoolBenchmarks;

/// <summary>What the command line says.</summary>
internal sealed record Settings
{
    public int Workers { get; private init; } = 2;

    public int Rounds { get; private init; } = 7;

    public int Items { get; private init; } = 400_000;

    public int Pings { get; private init; } = 20_000;

    /// <summary>The measurements to make; none named: all.</summary>
    public IReadOnlyList<string> Only { get; private init; } = [];

    public bool WithPeers { get; private init; } = true;

    public bool Help { get; private init; }

    public static string Usage =>
        $"""
        Measures the pool and its peers in turn, and says which bars it passes.

          --workers N      threads of each pool (2)
          --rounds N       rounds, after everybody has warmed up (7)
          --items N        items of each flood (400000)
          --pings N        round trips of each round (20000); wake-ups are a twentieth of that
          --only NAME      make this measurement only; may be given more than once
          --peers none     measure this pool alone
          --help           this text

        Measurements:
        {string.Join('\n', MeasurementCatalogue.All.Select(m => $"  {m.Name,-15}  {m.Summary}"))}

        Exit codes: 0 every bar that was measured is passed, 1 one was missed, 64 the command line is wrong.
        """;

    /// <exception cref="FormatException">An option is unknown, or its value is not one of its values.</exception>
    public static Settings Parse(ReadOnlySpan<string> args)
    {
        var settings = new Settings();
        for (int i = 0; i < args.Length; i++)
        {
            string option = args[i];
            if (option is "--help" or "-h") return settings with { Help = true };
            string value = i + 1 < args.Length ? args[++i] : throw new FormatException($"{option} has no value.");
            settings = option switch
            {
                "--workers" => settings with { Workers = Count(option, value) },
                "--rounds" => settings with { Rounds = Count(option, value) },
                "--items" => settings with { Items = Count(option, value) },
                "--pings" => settings with { Pings = Count(option, value) },
                "--only" => settings with { Only = [.. settings.Only, Measurement(value)] },
                "--peers" => settings with { WithPeers = value == "none" ? false : throw new FormatException("--peers may only be none.") },
                _ => throw new FormatException($"There is no option {option}."),
            };
        }
        return settings;
    }

    public bool Selects(IMeasurement measurement) => Only.Count == 0 || Only.Contains(measurement.Name);

    /// <summary>This pool, others of its kind, then the peers if they are measured at all.</summary>
    public IReadOnlyList<PeerKind> Contenders(IEnumerable<PeerKind> peers, params IEnumerable<PeerKind> variants) =>
        [PeerCatalogue.PoolApi, .. variants, .. WithPeers ? peers : []];

    private static int Count(string option, string value) =>
        int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out int count) && count > 0
            ? count
            : throw new FormatException($"{option} takes a number above zero, not '{value}'.");

    private static string Measurement(string value) =>
        MeasurementCatalogue.All.Any(m => m.Name == value) ? value : throw new FormatException($"There is no measurement '{value}'.");
}
