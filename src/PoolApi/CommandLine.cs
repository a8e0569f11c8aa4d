using PoolApi.Management;

namespace PoolApi;

/// <summary>What the program is asked to do: to serve, unless the first word says otherwise.</summary>
internal static class CommandLine
{
    private const string Usage = """
        PoolApi                       serve; settings as --Key value, or by environment or appsettings.json
        PoolApi healthcheck           ask the service on this machine whether it is ready: exit code 0 or 1
        PoolApi --help                this

        """;

    /// <summary>Whether the program is to serve, unless a setting is wrong. Decided at once, before anything else is.</summary>
    public static bool Serves(string[] args) => args is [] or [['-' or '/', ..], ..] || args[0].Contains('=', StringComparison.Ordinal);

    /// <summary>Runs what is not serving.</summary>
    /// <returns>The exit code; <see langword="null"/> if the program is to serve.</returns>
    public static async Task<int?> RunAsync(string[] args)
    {
        switch (args)
        {
            case [HealthcheckCommand.Name, .. var rest]:
                return await HealthcheckCommand.RunAsync(rest);
            case ["--help" or "-h" or "-?", ..]:
                await Console.Out.WriteAsync(Usage);
                return 0;
            // A setting begins with - or /, or is Key=value. A misspelt command must not start a server.
            case [[not ('-' or '/'), ..] word, ..] when !word.Contains('=', StringComparison.Ordinal):
                await Console.Error.WriteAsync($"There is no command '{word}'.\n{Usage}");
                return StartFaults.ExitCode;
            default:
                return null;
        }
    }
}
