using PoolApi.JobBenchmarks.Scenarios;

namespace PoolApi.JobBenchmarks;

/// <summary>The settings from the command line.</summary>
internal sealed record Settings
{
    private const int FewestJobs = 10_000;

    /// <summary>Rounds in which both are measured; null: each scenario's own number.</summary>
    public int? Rounds { get; private init; }

    /// <summary>How long each measurement is; null: each scenario's own length.</summary>
    public TimeSpan? Duration { get; private init; }

    /// <summary>The scenarios to run; empty: all.</summary>
    public IReadOnlyList<string> Only { get; private init; } = [];

    /// <summary>A PostgreSQL in which databases may be created; null: the program starts one.</summary>
    public string? Connection { get; private init; }

    /// <summary>The service's program; null: the one that was built here.</summary>
    public string? PoolApi { get; private init; }

    /// <summary>The folder for SQLite's files and PostgreSQL's cluster.</summary>
    public string Folder { get; private init; } = Path.GetTempPath();

    /// <summary>The number of jobs in the large store.</summary>
    public int Jobs { get; private init; } = 1_000_000;

    public static string Usage =>
        $"""
        Measures durable jobs in turn with what one would use instead, and says which bars they pass.

          --only NAME        run this scenario only; may be given more than once
          --rounds N         rounds in which both are measured (each scenario has its own number)
          --seconds N        length of each measurement (each scenario has its own)
          --connection TEXT  a PostgreSQL, in Npgsql's words; its user may create databases (one is started)
          --poolapi PATH     the service to measure: a published program, or a .dll (that of this build)
          --folder PATH      where data is put, on the disk that is to be measured ({Path.GetTempPath()})
          --jobs N           how many jobs are many, at least {FewestJobs} (1000000)
          --help             this text

        Scenarios:
        {string.Join('\n', ScenarioCatalogue.All.Select(s => $"  {s.Name,-17}  {s.Summary}"))}

        Exit codes: 0 every bar that was measured is passed, 1 one was missed, 64 the command line is wrong, 70 something failed.
        """;

    /// <returns><see langword="null"/> if help is asked for.</returns>
    /// <exception cref="FormatException">An option is unknown, or its value is not one of its values.</exception>
    public static Settings? Parse(ReadOnlySpan<string> args) => CommandLine.Read(args, new Settings(), static (given, option, value) => option switch
        {
            "--only" => given with { Only = [.. given.Only, CommandLine.Name("scenario", value, ScenarioCatalogue.All.Select(static s => s.Name))] },
            "--rounds" => given with { Rounds = CommandLine.Count(option, value) },
            "--seconds" => given with { Duration = TimeSpan.FromSeconds(CommandLine.Count(option, value)) },
            "--connection" => given with { Connection = value },
            "--poolapi" => given with { PoolApi = File.Exists(value) ? value : throw new FormatException($"There is no {value}.") },
            "--folder" => given with { Folder = Directory.Exists(value) ? value : throw new FormatException($"There is no folder {value}.") },
            "--jobs" => given with { Jobs = CommandLine.Count(option, value, FewestJobs) },
            _ => null,
        });

    public bool Selects(IScenario scenario) => Only.Count == 0 || Only.Contains(scenario.Name);
}
