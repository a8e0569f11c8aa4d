namespace PoolApi.Settings;

/// <summary>Where the settings file is: the folder of the program, independent of the working directory, unless ContentRoot is set.</summary>
internal static class ContentRoot
{
    private const string Key = "ContentRoot";

    public static ValueRule Rule { get; } = new("a folder that exists", Directory.Exists);

    /// <summary>Read before the host is built, which throws if there is no such folder.</summary>
    public static WebApplicationOptions Options(string[] args)
    {
        string? given = new ConfigurationBuilder()
            .AddEnvironmentVariables("DOTNET_").AddEnvironmentVariables("ASPNETCORE_").AddCommandLine(args).Build()[Key];
        if (given is { Length: > 0 } && !Rule.Accepts(given)) throw new ArgumentException($"{Key} is '{given}'; it must be {Rule.Allowed}.");
        return new WebApplicationOptions { Args = args, ContentRootPath = given is { Length: > 0 } ? given : AppContext.BaseDirectory };
    }
}
