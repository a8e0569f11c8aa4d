using PoolApi.PoolBenchmarks.Measurements;
using PoolApi.PoolBenchmarks.Peers;
using PoolApi.PoolBenchmarks.Reporting;

namespace PoolApi.PoolBenchmarks;

/// <summary>The settings from the command line.</summary>
internal sealed record Settings
{
    public int Workers { get; private init; } = 2;

    /// <summary>The rounds of most measurements.</summary>
    public int Rounds => GivenRounds ?? 7;

    /// <summary>The rounds of measurements whose figures vary a lot.</summary>
    public int ManyRounds => GivenRounds ?? 15;

    public int Items { get; private init; } = 400_000;

    public int Pings { get; private init; } = 20_000;

    /// <summary>The measurements to make; empty: all.</summary>
    public IReadOnlyList<string> Only { get; private init; } = [];

    public bool WithPeers { get; private init; } = true;

    public static string Usage =>
        $"""
        Measures the pool and its peers in turn, and says which bars it passes.

          --workers N      threads of each pool (2)
          --rounds N       rounds, after everybody has warmed up (7; of the flood with 2 producers and of round trips 15)
          --items N        items of each flood (400000)
          --pings N        round trips of each round (20000); wake-ups are a twentieth of that
          --only NAME      make this measurement only; may be given more than once
          --peers none     measure this pool alone
          --help           this text

        Measurements:
        {string.Join('\n', MeasurementCatalogue.All.Select(m => $"  {m.Name,-15}  {m.Summary}"))}

        Exit codes: 0 every bar that was measured is passed, 1 one was missed, 64 the command line is wrong.
        """;

    /// <returns><see langword="null"/> if help is asked for.</returns>
    /// <exception cref="FormatException">An option is unknown, or its value is not one of its values.</exception>
    public static Settings? Parse(ReadOnlySpan<string> args) => CommandLine.Read(args, new Settings(), static (given, option, value) => option switch
        {
            "--workers" => given with { Workers = CommandLine.Count(option, value) },
            "--rounds" => given with { GivenRounds = CommandLine.Count(option, value) },
            "--items" => given with { Items = CommandLine.Count(option, value) },
            "--pings" => given with { Pings = CommandLine.Count(option, value) },
            "--only" => given with { Only = [.. given.Only, CommandLine.Name("measurement", value, MeasurementCatalogue.All.Select(static s => s.Name))] },
            "--peers" => given with { WithPeers = value == "none" ? false : throw new FormatException("--peers must be none.") },
            _ => null,
        });

    public bool Selects(IMeasurement measurement) => Only.Count == 0 || Only.Contains(measurement.Name);

    /// <summary>The rounds of every measurement; null: its own number.</summary>
    private int? GivenRounds { get; init; }

    /// <summary>This pool, its variants, then the peers if they are measured.</summary>
    public IReadOnlyList<PeerKind> Contenders(IEnumerable<PeerKind> peers, params IEnumerable<PeerKind> variants) =>
        [PeerCatalogue.PoolApi, .. variants, .. WithPeers ? peers : []];
}
