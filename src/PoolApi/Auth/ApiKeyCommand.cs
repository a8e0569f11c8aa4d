using PoolApi.Settings;

namespace PoolApi.Auth;

/// <summary>The command <c>keys new</c>: makes a key, prints it once, and prints the line to store.</summary>
internal static class ApiKeyCommand
{
    public const string Name = "keys";

    /// <param name="args">What follows the command's name.</param>
    /// <returns>The exit code.</returns>
    public static async Task<int> RunAsync(string[] args)
    {
        if (args is not ["new", var client])
        {
            await Console.Error.WriteLineAsync("A key is made by: PoolApi keys new CLIENT");
            return StartFaults.ExitCode;
        }
        if (!ApiKeySection.IsName(client))
        {
            await Console.Error.WriteLineAsync($"'{client}' is no name for a client; it must be {ApiKeySection.NameRule}.");
            return StartFaults.ExitCode;
        }
        string key = ApiKeyHash.New();
        await Console.Out.WriteLineAsync($"""
            The key, for the client alone. It is not shown again:
              {key}
            {HashLines(client, ApiKeyHash.Write(ApiKeyHash.Of(key)))}
            """);
        return 0;
    }

    /// <summary>The hash as it is stored, under the name of the client. Not every name can be part of a variable's name.</summary>
    private static string HashLines(string client, string hash)
    {
        if (client.Contains("__", StringComparison.Ordinal))
        {
            return $"""
                The hash, for the keys file of the service. In the environment, the '__' in the name would begin a section:
                  "{client}": "{hash}"
                """;
        }
        string lines = $"""
            The hash, for the settings of the service, in the environment or in the keys file:
              Auth__ApiKeys__{client}={hash}
              "{client}": "{hash}"
            """;
        return client.AsSpan().ContainsAny('-', '.')
            ? lines + "\nA shell cannot export a variable with '-' or '.' in its name. Docker, Kubernetes and env can set it."
            : lines;
    }
}
