namespace PoolApi.Settings;

/// <summary>
/// The settings as <see cref="WebApplication.CreateSlimBuilder(WebApplicationOptions)"/> reads them, without a host: for commands that
/// only ask something. A test compares the two.
/// </summary>
internal static class ServiceConfiguration
{
    /// <summary>Reads them once; files are not watched.</summary>
    /// <exception cref="ArgumentException">The content root does not exist.</exception>
    public static IConfigurationRoot Read(string[] args)
    {
        string folder = ContentRoot.Options(args).ContentRootPath!;
        IConfiguration host = new ConfigurationBuilder()
            .AddEnvironmentVariables("ASPNETCORE_").AddEnvironmentVariables("DOTNET_").AddCommandLine(args).Build();
        string environment = host[HostDefaults.EnvironmentKey] is { Length: > 0 } given ? given : Environments.Production;
        return new ConfigurationBuilder()
            .SetBasePath(folder)
            .AddEnvironmentVariables("ASPNETCORE_")
            .AddEnvironmentVariables("DOTNET_")
            .AddJsonFile("appsettings.json", optional: true, reloadOnChange: false)
            .AddJsonFile($"appsettings.{environment}.json", optional: true, reloadOnChange: false)
            .AddEnvironmentVariables()
            .AddCommandLine(args)
            .Build();
    }
}
