using System.Text.RegularExpressions;

namespace PoolApi.Tests.Service;

/// <summary>The first statement of the program.</summary>
public sealed partial class ProgramTests
{
    // This test reads the source, because a test cannot make a signal arrive between two statements of another process.
    [Fact]
    public void The_stop_signals_have_handlers_before_any_other_statement_runs()
    {
        string first = File.ReadLines(Path.Combine(Repository.Root, "src", "PoolApi", "Program.cs"))
            .First(static line => line.Length > 0 && !line.StartsWith("//", StringComparison.Ordinal) && !UsingDirective().IsMatch(line));
        Assert.Equal("if (CommandLine.Serves(args)) EarlyStopSignals.Register(LogFormat.WriteEarly);", first);
    }

    [GeneratedRegex(@"^using [\w.]+;$")]
    private static partial Regex UsingDirective();
}
