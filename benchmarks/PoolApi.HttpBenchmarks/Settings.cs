using PoolApi.HttpBenchmarks.Contenders;
using PoolApi.HttpBenchmarks.Scenarios;

namespace PoolApi.HttpBenchmarks;

/// <summary>The settings from the command line.</summary>
internal sealed record Settings
{
    /// <summary>Rounds or pairs; null: each scenario's own number.</summary>
    public int? Rounds { get; private init; }

    /// <summary>How long each measurement is; null: each scenario's own length.</summary>
    public TimeSpan? Duration { get; private init; }

    /// <summary>The scenarios to run; empty: all.</summary>
    public IReadOnlyList<string> Only { get; private init; } = [];

    /// <summary>The chosen contenders that are installed, this service first.</summary>
    public IReadOnlyList<ContenderKind> Contenders { get; private init; } = ContenderCatalogue.All;

    /// <summary>The service's program; null: the one that was built here.</summary>
    public string? PoolApi { get; private init; }

    public static string Usage =>
        $"""
        Runs PoolApi, and what one would write instead, as servers of their own; puts each under the same load, in turn; and says
        which bars PoolApi passes.

          --only NAME          run this scenario only; may be given more than once
          --contenders A,B     measure these only
          --rounds N           rounds or pairs of measurements (each scenario has its own number)
          --seconds N          length of each measurement (each scenario has its own)
          --poolapi PATH       the service to measure: a published program, or a .dll (that of this build)
          --help               this text

        Scenarios:
        {string.Join('\n', ScenarioCatalogue.All.Select(s => $"  {s.Name,-17}  {s.Summary}"))}

        Contenders:
        {string.Join('\n', ContenderCatalogue.All.Select(c => $"  {c.Id,-17}  {c.Name}{(c.IsInstalled ? "" : " (not installed)")}"))}

        Exit codes: 0 every bar that was measured is passed, 1 one was missed, 64 the command line is wrong, 70 a server failed.
        """;

    /// <returns><see langword="null"/> if help is asked for.</returns>
    /// <exception cref="FormatException">An option is unknown, or its value is not one of its values.</exception>
    public static Settings? Parse(ReadOnlySpan<string> args)
    {
        Settings? said = CommandLine.Read(args, new Settings(), static (given, option, value) => option switch
        {
            "--only" => given with { Only = [.. given.Only, CommandLine.Name("scenario", value, ScenarioCatalogue.All.Select(static s => s.Name))] },
            "--contenders" => given with { Contenders = Chosen(value.Split(',')) },
            "--rounds" => given with { Rounds = CommandLine.Count(option, value) },
            "--seconds" => given with { Duration = TimeSpan.FromSeconds(CommandLine.Count(option, value)) },
            "--poolapi" => given with { PoolApi = File.Exists(value) ? value : throw new FormatException($"There is no {value}.") },
            _ => null,
        });
        return said is null ? null : said with { Contenders = [.. said.Contenders.Where(static kind => kind.IsInstalled)] };
    }

    public bool Selects(IScenario scenario) => Only.Count == 0 || Only.Contains(scenario.Name);

    private static ContenderKind[] Chosen(string[] ids) =>
        ids.FirstOrDefault(id => ContenderCatalogue.All.All(kind => kind.Id != id)) is { } unknown
            ? throw new FormatException($"There is no contender '{unknown}'.")
            : [.. ContenderCatalogue.All.Where(kind => ids.Contains(kind.Id))];
}
