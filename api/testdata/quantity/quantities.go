// Prints what the API machinery of Kubernetes makes of a list of quantity texts: the table in quantities.tsv.
//
// To make it again, in an empty directory: copy this file, `go mod init x`,
// `go get k8s.io/apimachinery/pkg/api/resource@v0.35.4`, `go run . > quantities.tsv`.
//
// Columns, separated by tabs: text (with \\ \t \n escaped), verdict, exact amount, format, canonical text, Value().
// Value() is "-" beyond 2^63-1, where the Go code wraps around.
package main

import (
	"fmt"
	"os"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
)

func main() {
	numbers := []string{"0", "1", "3", "7.5", "0.5", ".5", "5.", "007", "00.50", "1000", "1024", "1536", "999.999", "0.001", "0.0001", "1.0000000001",
		"0.0000000001", "1048576", "1.5000", "9223372036854775807", "9223372036854775808", "18446744073709551616", "123456789012345678901", "340.282", "4096", "1023", "1000000"}
	suffixes := []string{"", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei", "e3", "E3", "e-3", "E-3", "e+3", "e0", "e1", "e6", "e-9", "e-10", "E18"}
	odd := []string{"", " ", ".", "-", "+", "-.", "+.", "e", "E", "e3", "Gi", "k", "m", "i", "1i", "1K", "1g", "1t", "1p", "1e", "1E", "1E+", "1e-", "1e+", "-3.01e-", "1ki", "1gi", "1GI", "4GB", "4gb", "4 Gi", " 4Gi", "4Gi ", "4\tGi", "4Gi\n",
		"1e3Gi", "1Gie3", "1e3k", "1e1.5", "1e3e3", "1E3E", "1EE", "1Em", "1Ee3", "0x10", "0o17", "0b1", "010", "1_000", "1,000", "1'000", "1.1.M", "1+1.0M", "1-1", "--1", "++1", "+-1", "-+1", "0.1mi", "0.1am", "aoeu", ".5i", "-3.01i", "NaN", "nan", "inf", "Inf", "-Inf", "Infinity",
		"null", "true", "1B", "1b", "4Gib", "4GiB", "4G4", "4Gi4", "4Mi+", "4n-3", "4k+", "4u5", "1h", "1µ", "1u", "1U", "1N", "1µm", "１", "٣", "1e03", "1e003", "1e-003", "1E00", "1e18", "1e19", "1e20", "1e27", "1e28", "1e29", "1e30", "1e40", "1e100", "9e400", "1e-18", "1e-30", "1e-100", "0e400", "0e-400", "0E", "0Gi", "-0", "-0.0", "+0", "0.0", "00", "000Ki", "-0Mi",
		"16Ei", "8Ei", "7Ei", "-8Ei", "-9Ei", "15.5Ei", "7.9999999999999999999Ei", "1000E", "10000E", "1001E", "999E", "9223372036854775807", "-9223372036854775807", "-9223372036854775808", "9223372036854775808n", "0.5Ki", "0.25Ki", "1.5Ki", "1.0001Ki", "0.0001Ki", "0.00000000001Ki", "0.1Gi", "0.1Ti", "-0.5Ki", "-0.0001Ki", "1.5Gi", "2.5Ei", "0.5Ei",
		"1e99999999999999999999", "1e2147483647x", "1e", "1ee3", "1e 3", "1 e3", "1.e3", ".e3", "1..", "..1", "1.5.", "1/2", "50%", "(1)", "$1", "1Zi", "1Yi", "1Z", "1Y", "1R", "1kB", "1KB", "1MB", "1mb", "1MiB", "512 MB", "2 G", "four", "4GI", "4giB", "4Gigabytes", "1c", "2cores", "500millis", "1mk", "1Mm", "1km", "1nn", "1KiMi"}
	in := []string{}
	for _, sign := range []string{"", "-", "+"} {
		for i, n := range numbers {
			for j, s := range suffixes {
				if sign != "" && (i+j)%4 != 0 {
					continue
				}
				in = append(in, sign+n+s)
			}
		}
	}
	in = append(in, odd...)
	seen := map[string]bool{}
	out := os.Stdout
	for _, s := range in {
		if seen[s] {
			continue
		}
		seen[s] = true
		q, err := resource.ParseQuantity(s)
		if err != nil {
			fmt.Fprintf(out, "%s\treject\n", esc(s))
			continue
		}
		c, suf := q.CanonicalizeBytes(nil)
		format := string(q.Format)
		if format == "" {
			format = "DecimalSI"
		}
		negated := q.DeepCopy()
		negated.Neg()
		d := q.AsDec().String()
		value := "-"
		if limit := resource.MustParse("9223372036854775807"); q.Cmp(limit) <= 0 && (&negated).Cmp(limit) <= 0 {
			value = fmt.Sprint(q.Value())
		}
		fmt.Fprintf(out, "%s\taccept\t%s\t%s\t%s%s\t%s\n", esc(s), d, format, c, suf, value)
	}
}

func esc(s string) string {
	return strings.NewReplacer("\\", "\\\\", "\t", "\\t", "\n", "\\n").Replace(s)
}
