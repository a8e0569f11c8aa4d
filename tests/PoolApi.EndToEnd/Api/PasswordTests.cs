using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace PoolApi.EndToEnd.Api;

/// <summary>Passwords are hashed slowly and verified correctly, and no client can make that slower.</summary>
public sealed partial class PasswordTests(SharedServices services)
{
    private const string Password = "correct horse battery staple ✓";

    [Theory, ClassData(typeof(BothForms))]
    public async Task A_hash_verifies_its_own_password_and_no_other(ServiceForm form)
    {
        var service = await services.InAsync(form);

        string hash = await HashAsync(service, Password);

        Assert.True(await VerifyAsync(service, Password, hash));
        Assert.False(await VerifyAsync(service, Password + "x", hash));
        Assert.NotEqual(hash, await HashAsync(service, Password));
    }

    [Fact]
    public async Task A_hash_is_in_a_standard_encoded_form_at_no_less_than_OWASPs_cost()
    {
        string hash = await HashAsync(await services.InAsync(ServiceForm.Any), Password);

        var argon = Argon2id().Match(hash);
        if (argon.Success)
        {
            // OWASP's equivalent settings are m=47104 t=1, 19456 t=2, 12288 t=3, 9216 t=4, 7168 t=5: memory × passes is about constant.
            long memory = Number(argon, 1), passes = Number(argon, 2);
            Assert.True(memory >= 7168 && memory * passes >= 35_840, hash);
            return;
        }

        var pbkdf2 = Pbkdf2().Match(hash);
        Assert.True(pbkdf2.Success, $"neither Argon2id nor PBKDF2 in the PHC string format: {hash}");
        Assert.True(Number(pbkdf2, 1) >= 600_000, hash);
    }

    [Theory, ClassData(typeof(BothForms))]
    public async Task A_hash_that_asks_for_excessive_cost_is_refused_before_it_costs_anything(ServiceForm form)
    {
        var service = await services.InAsync(form);
        string hash = await HashAsync(service, Password);

        foreach (Match parameter in Cost().Matches(hash))
        {
            var number = parameter.Groups[2];
            string dear = hash[..number.Index] + "2000000000" + hash[(number.Index + number.Length)..];
            (await service.Api.PostJsonAsync("/v1/password-verifications", Body(Password, dear))).MustBeProblem(422).MustName("hash");
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("not a hash")]
    [InlineData("$argon2id$v=19$m=19456,t=2,p=1$$")]
    [InlineData("$argon2id$v=19$m=19456,t=2,p=1$!!!!$????")]
    [InlineData("$2y$31$abcdefghijklmnopqrstuuAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    public async Task A_malformed_hash_is_refused_and_the_problem_names_it(string hash)
    {
        var service = await services.InAsync(ServiceForm.Any);

        var answer = await service.Api.PostJsonAsync("/v1/password-verifications", Body(Password, hash));

        answer.MustBeProblemOf(400, 422).MustName("hash");
    }

    [Theory]
    [InlineData("/v1/password-hashes", """{}""", "password")]
    [InlineData("/v1/password-hashes", """{"password":null}""", "password")]
    [InlineData("/v1/password-hashes", """{"password":12}""", "password")]
    [InlineData("/v1/password-verifications", """{"password":"x"}""", "hash")]
    [InlineData("/v1/password-verifications", """{"hash":"x"}""", "password")]
    public async Task A_missing_member_is_named(string route, string json, string member)
    {
        var service = await services.InAsync(ServiceForm.Any);

        (await service.Api.PostJsonAsync(route, json)).MustBeProblem(400, "invalid-request").MustName(member);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("\"password\"")]
    [InlineData("""{"password":"x" "y"}""")]
    public async Task Invalid_JSON_is_a_problem_of_the_client(string json)
    {
        foreach (var form in new[] { ServiceForm.FrameworkDependent, ServiceForm.NativeAot })
        {
            var service = await services.InAsync(form);
            (await service.Api.PostJsonAsync("/v1/password-hashes", json)).MustBeProblem(400, "invalid-request");
        }
    }

    private static async Task<string> HashAsync(PoolApiProcess service, string password)
    {
        var answer = (await service.Api.PostJsonAsync("/v1/password-hashes", JsonSerializer.Serialize(new { password }))).MustBe(200);
        return answer.Json().GetProperty("hash").GetString()!;
    }

    private static async Task<bool> VerifyAsync(PoolApiProcess service, string password, string hash)
    {
        var answer = (await service.Api.PostJsonAsync("/v1/password-verifications", Body(password, hash))).MustBe(200);
        return answer.Json().GetProperty("valid").GetBoolean();
    }

    private static string Body(string password, string hash) => JsonSerializer.Serialize(new { password, hash });

    private static long Number(Match match, int group) => long.Parse(match.Groups[group].Value, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=\d+\$[A-Za-z0-9+/]+\$[A-Za-z0-9+/]+$")]
    private static partial Regex Argon2id();

    [GeneratedRegex(@"^\$pbkdf2-sha256\$i=(\d+)\$[A-Za-z0-9+/.]+\$[A-Za-z0-9+/.]+$")]
    private static partial Regex Pbkdf2();

    [GeneratedRegex(@"(?<=[$,])(m|t|p|i|l)=(\d+)")]
    private static partial Regex Cost();
}
