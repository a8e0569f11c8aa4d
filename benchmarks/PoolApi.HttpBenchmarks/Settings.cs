using System.Globalization;
using PoolApi.HttpBenchmarks.Contenders;
using PoolApi.HttpBenchmarks.Scenarios;

namespace PoolApi.HttpBenchmarks;

/// <summary>What the command line says.</summary>
internal sealed record Settings
{
    /// <summary>Rounds or pairs; not said: each scenario's own number.</summary>
    public int? Rounds { get; private init; }

    /// <summary>How long each measurement is; not said: each scenario's own length.</summary>
    public TimeSpan? Duration { get; private init; }

    /// <summary>The scenarios to run; none named: all.</summary>
    public IReadOnlyList<string> Only { get; private init; } = [];

    /// <summary>Those of the chosen contenders that are installed, this service first.</summary>
    public IReadOnlyList<ContenderKind> Contenders { get; private init; } = ContenderCatalogue.All;

    /// <summary>The service's program; not said: as it was built here.</summary>
    public string? PoolApi { get; private init; }

    public bool Help { get; private init; }

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
                "--only" => settings with { Only = [.. settings.Only, Scenario(value)] },
                "--contenders" => settings with { Contenders = Chosen(value.Split(',')) },
                "--rounds" => settings with { Rounds = Count(option, value) },
                "--seconds" => settings with { Duration = TimeSpan.FromSeconds(Count(option, value)) },
                "--poolapi" => settings with { PoolApi = File.Exists(value) ? value : throw new FormatException($"There is no {value}.") },
                _ => throw new FormatException($"There is no option {option}."),
            };
        }
        return settings with { Contenders = [.. settings.Contenders.Where(kind => kind.IsInstalled)] };
    }

    public bool Selects(IScenario scenario) => Only.Count == 0 || Only.Contains(scenario.Name);

    private static int Count(string option, string value) =>
        int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out int count) && count > 0
            ? count
            : throw new FormatException($"{option} takes a number above zero, not '{value}'.");

    private static string Scenario(string value) =>
        ScenarioCatalogue.All.Any(s => s.Name == value) ? value : throw new FormatException($"There is no scenario '{value}'.");

    private static ContenderKind[] Chosen(string[] ids) =>
        ids.FirstOrDefault(id => ContenderCatalogue.All.All(kind => kind.Id != id)) is { } unknown
            ? throw new FormatException($"There is no contender '{unknown}'.")
            : [.. ContenderCatalogue.All.Where(kind => ids.Contains(kind.Id))];
}
