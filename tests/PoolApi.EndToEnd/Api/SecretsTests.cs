using System.Text.Json;

namespace PoolApi.EndToEnd.Api;

/// <summary>A posted password appears in no answer and no log line, even at the most verbose log level.</summary>
public sealed class SecretsTests
{
    private const string Secret = "hunter2-Zaphod-Beeblebrox";

    [Theory, ClassData(typeof(OneForm))]
    public async Task A_posted_password_appears_in_no_response_and_no_log_line(ServiceForm form)
    {
        await using var service = await PoolApiProcess.StartAsync(
            form, "--Pool:Workers 1", "--Logging:LogLevel:Default Trace", "--Logging:LogLevel:Microsoft Trace");
        string valid = JsonSerializer.Serialize(new { password = Secret });
        var answers = new List<Answer>();

        answers.Add((await service.Api.PostJsonAsync("/v1/password-hashes", valid)).MustBe(200));
        string hash = answers[0].Json().GetProperty("hash").GetString()!;
        string right = JsonSerializer.Serialize(new { password = Secret, hash });
        string wrong = JsonSerializer.Serialize(new { password = Secret, hash = Secret });
        answers.Add((await service.Api.PostJsonAsync("/v1/password-verifications", right)).MustBe(200));
        answers.Add(await service.Api.PostJsonAsync("/v1/password-verifications", wrong));
        answers.Add(await service.Api.PostJsonAsync("/v1/password-hashes", valid[..^2]));
        answers.Add(await service.Api.PostJsonAsync("/v1/password-hashes", $$$"""{"password":{"{{{Secret}}}":1}}"""));
        answers.Add(await service.Api.PostJsonAsync("/v1/password-hashes", $$"""{"password": {{Secret}} }"""));
        answers.Add(await service.Api.PostAsync("/v1/password-hashes", new StringContent(valid)));
        answers.Add(await service.Management.GetAsync("/v1/workers"));
        answers.Add(await service.Management.GetAsync("/metrics"));
        await service.StopAsync();

        Assert.All(answers, answer => Assert.DoesNotContain(Secret, answer.Text, StringComparison.Ordinal));
        Assert.DoesNotContain(service.Log.Lines, line => line.Contains(Secret, StringComparison.Ordinal));
    }
}
