using System.Xml.Linq;

namespace PoolApi.Packages.Tests;

/// <summary>The analyzer of the package PoolApi.AspNetCore runs in the build of an app, also if the app names only a package that depends on it.</summary>
public sealed class AnalyzerTests(LocalFeed feed)
{
    private const string Library = "PoolApi.AspNetCore";

    private Package[] Users
    {
        get
        {
            Package[] users = [.. feed.Packages.Where(static package => package.Dependencies.Contains(Library))];
            Assert.NotEmpty(users);
            return users;
        }
    }

    [Fact]
    public void A_package_passes_the_analyzer_of_its_dependency_on() => Assert.All(Users, static user =>
    {
        XElement dependency = user.Metadata.Descendants().Single(static e => e.Name.LocalName == "dependency" && (string?)e.Attribute("id") == Library);
        Assert.DoesNotContain("Analyzers", (string?)dependency.Attribute("exclude") ?? "", StringComparison.OrdinalIgnoreCase);
    });

    // The analyzer ignores an app whose other assemblies use the library, as they may add a pool. The packages of this repository use it and add none.
    [Fact]
    public async Task The_build_of_an_app_with_every_package_that_uses_the_library_reports_that_no_pool_is_added()
    {
        string folder = Directory.CreateDirectory(Path.Combine(feed.Workspace, "NoPool")).FullName;
        new XElement("Project", new XAttribute("Sdk", "Microsoft.NET.Sdk.Web"),
            new XElement("PropertyGroup", new XElement("TargetFramework", "net10.0"), new XElement("ImplicitUsings", "enable")),
            new XElement("ItemGroup", Users.Select(static user =>
                new XElement("PackageReference", new XAttribute("Include", user.Id), new XAttribute("Version", Packable.Version)))))
            .Save(Path.Combine(folder, "NoPool.csproj"));
        await File.WriteAllTextAsync(Path.Combine(folder, "Program.cs"), """
            using PoolApi.AspNetCore;

            var app = WebApplication.CreateBuilder(args).Build();
            app.MapGet("/", [RunOnPool("io")] () => "");
            app.Run();
            """, Patience.Token);
        string output = await ProgramRun.ApartAsync(folder, "dotnet", "build", "-c", "Release", "-v:q", "-nologo", "-p:RunAnalyzersDuringBuild=true");
        Assert.Matches(@"Program\.cs\(4,18\): warning POOLAPI001: .* call services\.AddFixedThreadPool\(""io""\)", output);
    }
}
