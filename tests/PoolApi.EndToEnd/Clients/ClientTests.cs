using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace PoolApi.EndToEnd.Clients;

/// <summary>Clients that generators make from the OpenAPI document work: each gets a thumbnail, a job, its result and a problem, and cancels a job.
/// A linter finds no fault in the document. The generators run with the commands of docs/clients.md.</summary>
public sealed partial class ClientTests(SharedServices services) : IDisposable
{
    private const string DocumentPath = "/openapi/v1.json";
    private readonly TemporaryFolder _folder = new();

    [Fact]
    public async Task A_client_made_by_Kiota_works()
    {
        var service = await services.InAsync(ServiceForm.Any);
        string document = await SaveDocumentAsync(service);

        string made = Path.Combine(_folder.Path, "made");
        await DotNetTools.RunAsync("kiota", [.. Command("dotnet kiota", document, ("client", made)), "--namespace-name", "Made"]);

        await ItWorksAsync(service, MadeClient.Compile("KiotaProgram.cs", Directory.GetFiles(made, "*.cs", SearchOption.AllDirectories)));
    }

    [Fact]
    public async Task A_client_made_by_NSwag_works()
    {
        var service = await services.InAsync(ServiceForm.Any);
        string document = await SaveDocumentAsync(service);

        string made = Path.Combine(_folder.Path, "PoolClient.cs");
        await DotNetTools.RunAsync("nswag", [.. Command("dotnet nswag", document, ("/output:PoolClient.cs", $"/output:{made}")), "/namespace:Made"]);

        await ItWorksAsync(service, MadeClient.Compile("NSwagProgram.cs", made));
    }

    [Fact]
    public async Task A_client_with_types_made_by_openapi_typescript_works()
    {
        NodeTools.Require();
        var service = await services.InAsync(ServiceForm.Any);
        string document = await SaveDocumentAsync(service);

        Directory.CreateSymbolicLink(Path.Combine(_folder.Path, "node_modules"), NodeTools.Modules);
        foreach (string file in new[] { "package.json", "tsconfig.json", "Programs/program.ts", "Programs/node.d.ts" })
            File.Copy(Path.Combine(NodeTools.Folder, file), Path.Combine(_folder.Path, Path.GetFileName(file)));
        (await NodeTools.RunAsync(_folder.Path, "openapi-typescript", Command("npx openapi-typescript", document))).MustSucceed();
        (await NodeTools.RunAsync(_folder.Path, "tsc", "--project", ".")).MustSucceed();

        await ItWorksAsync(service, async (address, image, later) =>
        {
            string file = Path.Combine(_folder.Path, "photo.jpg");
            await File.WriteAllBytesAsync(file, image);
            var start = new ProcessStartInfo("node", ["program.js", address, file, later]) { WorkingDirectory = _folder.Path };
            return (await ProgramRun.ToEndAsync(start, NodeTools.Patience)).MustSucceed().Text;
        });
    }

    [Fact]
    public async Task The_document_has_no_fault_with_keys_and_without()
    {
        NodeTools.Require();
        var environment = new Dictionary<string, string> { ["Auth__ApiKeys__alice"] = "alices-key_0123456789" };
        await using var withKeys = await PoolApiProcess.StartAsync(
            ServiceForm.Any, onePort: false, environment, PoolApiProcess.Diagnostics);
        string[] documents =
        [
            await SaveDocumentAsync(await services.InAsync(ServiceForm.Any), "without-keys.json"),
            await SaveDocumentAsync(withKeys, "with-keys.json"),
        ];

        // The strict set of rules makes each warning an error.
        (await NodeTools.RunAsync(
            NodeTools.Folder, "redocly", ["lint", .. documents, "--config", "redocly.yaml", "--format", "stylish", "--max-problems", "100"])).MustSucceed();
    }

    [Fact]
    public async Task Both_forms_of_the_service_have_the_same_document()
    {
        var compiled = await services.InAsync(ServiceForm.NativeAot);
        var managed = await services.InAsync(ServiceForm.FrameworkDependent);

        Assert.Equal((await managed.Api.GetAsync(DocumentPath)).MustBe(200).Text, (await compiled.Api.GetAsync(DocumentPath)).MustBe(200).Text);
    }

    /// <inheritdoc />
    public void Dispose() => _folder.Dispose();

    /// <summary>The arguments of a generator's command on the page, with the paths of this document and of the generated files.</summary>
    private static string[] Command(string tool, string document, params (string Shown, string Here)[] places)
    {
        string page = File.ReadAllText(Path.Combine(Repository.Root, "docs", "clients.md"));
        Match found = Assert.Single(Commands().Matches(page), match => match.Value.StartsWith($"`{tool} ", StringComparison.Ordinal));
        string[] command = found.Groups[1].Value[(tool.Length + 1)..].Split(' ');
        (string Shown, string Here)[] all = [("v1.json", document), ("/input:v1.json", $"/input:{document}"), .. places];
        Assert.All(places, place => Assert.Contains(place.Shown, command));
        return [.. command.Select(argument => all.FirstOrDefault(place => place.Shown == argument, (Shown: argument, Here: argument)).Here)];
    }

    private static async Task ItWorksAsync(PoolApiProcess service, Func<string, byte[], string, Task<string>> program)
    {
        byte[] image = await File.ReadAllBytesAsync(Path.Combine(Repository.Root, "docs", "photo.jpg"));
        // The offset is not that of UTC, so the test notices a client that loses it.
        var later = DateTimeOffset.UtcNow.AddHours(1).ToOffset(TimeSpan.FromHours(5.5));
        later = later.AddTicks(-(later.Ticks % TimeSpan.TicksPerSecond));
        var before = DateTimeOffset.UtcNow;

        string said = await program(service.Api.Url, image, later.ToString("yyyy-MM-dd'T'HH:mm:sszzz", CultureInfo.InvariantCulture));

        using var json = JsonDocument.Parse(said);
        var it = json.RootElement;
        byte[] thumbnail = it.GetProperty("thumbnail").GetBytesFromBase64();
        Assert.Equal(("webp", 320), (ImageHeader.Read(thumbnail).Format, ImageHeader.Read(thumbnail).Width));
        Assert.InRange(it.GetProperty("createdAt").GetDateTimeOffset(), before.AddMinutes(-1), DateTimeOffset.UtcNow.AddMinutes(1));
        Assert.Equal("succeeded", it.GetProperty("endedState").GetString());
        Assert.Equal("holiday", Assert.Single(it.GetProperty("tags").EnumerateArray()).GetString());
        Assert.True(it.TryGetProperty("progress", out _));
        Assert.Equal(thumbnail, it.GetProperty("result").GetBytesFromBase64());
        Assert.Equal(400, it.GetProperty("problemStatus").GetInt32());
        Assert.Equal("urn:poolapi:problem:invalid-request", it.GetProperty("problemType").GetString());
        Assert.StartsWith("width ", it.GetProperty("problemField").GetString(), StringComparison.Ordinal);
        Assert.Equal(it.GetProperty("problemField").GetString(), it.GetProperty("problemDetail").GetString());
        Assert.Equal(later.ToUniversalTime(), it.GetProperty("cancelledRunAt").GetDateTimeOffset().ToUniversalTime());
        Assert.Equal("cancelled", it.GetProperty("cancelledState").GetString());
    }

    private async Task<string> SaveDocumentAsync(PoolApiProcess service, string name = "v1.json")
    {
        string file = Path.Combine(_folder.Path, name);
        await File.WriteAllBytesAsync(file, (await service.Api.GetAsync(DocumentPath)).MustBe(200).Body);
        return file;
    }

    [GeneratedRegex("`((?:dotnet|npx) [^`]+)`")]
    private static partial Regex Commands();
}
